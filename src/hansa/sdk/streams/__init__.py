"""What a node sends piece by piece: events as they come, and blocks as frames."""
