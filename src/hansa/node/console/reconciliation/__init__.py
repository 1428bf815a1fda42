"""The pages about reconciliation with other banks."""
