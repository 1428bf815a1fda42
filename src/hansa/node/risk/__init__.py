"""Risk control of a node: what decides on the payments that it sponsors."""
