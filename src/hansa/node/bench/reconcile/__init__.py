"""Benchmarks of reconciliation: made files, and what reading and matching them takes."""
