"""Reconciliation as a bank's node does it: for each agreement, as entries arrive."""
