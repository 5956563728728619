"""The tamper-evident log: records, the chain, the ledger that owns it, its readers."""
