"""HTTP transport: connections, limits, attempts and retries of a call."""
