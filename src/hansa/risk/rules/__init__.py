"""Rules: a declarative file, asked of a payment's features, and tried on payments of the past."""
