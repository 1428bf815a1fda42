"""Rules: what counts as the same movement, in a file that both modes of reconciliation obey."""
