"""Reconciliation through a node: what it tells, and the pairs of its own member."""
