"""Reconciliation where it meets a node: as entries arrive, and over its chain as a side."""
