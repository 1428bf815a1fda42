"""Streaming: two banks match as entries arrive, each by itself, with tags on the ledger between."""
