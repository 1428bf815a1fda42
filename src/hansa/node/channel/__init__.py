"""Messages between members' nodes: encrypted, signed, acknowledged, and never on the ledger."""
