"""Who decides, and keeps the journal of it: for one thread at a time, or a process of its own."""
