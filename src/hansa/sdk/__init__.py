"""Typed client: keys, build, sign, submit, wait, query, verify receipts."""
