"""Benchmarks of risk control."""
