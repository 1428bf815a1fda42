"""Reconciliation: what two members agree to match, how far they are, and what becomes of breaks."""
