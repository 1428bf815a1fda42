"""What a node tells of reconciliation."""
