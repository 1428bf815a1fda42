"""Pages about risk control: what a node decides on its customers' payments, and why."""
