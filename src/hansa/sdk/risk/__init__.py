"""What the ledger has of risk control: models, and what operators decide by."""
