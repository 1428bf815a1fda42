"""Contracts of identity and trust: one module is one contract."""
