"""What the payments of the last days say about one more, seen as a graph between wallets."""
