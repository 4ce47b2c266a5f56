"""How it gets there: aiohttp below, tenacity for repeating, one call from first byte to last."""
