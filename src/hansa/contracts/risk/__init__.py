"""The contract of risk control: which models decide for an operator, and what must be attested."""
