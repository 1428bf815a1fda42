"""CometBFT's RPC: asking it, and reading what it answers of its blocks and of its network."""
