"""The `hansa` command: thin over `sdk` and `node`."""
