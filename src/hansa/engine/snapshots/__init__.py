"""Snapshots: the state at a checkpoint and the blocks before it, for nodes that join or prune."""
