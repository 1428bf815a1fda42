"""A holder's wallet at work: a file that nobody else reads, and conversations over HTTP."""
