"""Hashes, signature suites and addresses: thin, cross-checked layers over kept libraries."""
