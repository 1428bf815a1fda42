"""Order and keep blocks: the block log, the state store, and the embedded engine."""
