"""Others' software on the same rows and graphs, each where it is installed."""
