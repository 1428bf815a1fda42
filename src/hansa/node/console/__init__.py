"""The console: server-rendered pages on which people watch the ledger; it changes nothing."""
