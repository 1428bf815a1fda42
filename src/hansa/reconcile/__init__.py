"""Reconciliation: statements of many formats in, matches and breaks with their reasons out."""
