"""Many companies: rows become identification links, under a ledger that survives being killed."""
