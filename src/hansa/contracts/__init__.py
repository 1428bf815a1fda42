"""Contracts: one module is one contract is one state machine."""
