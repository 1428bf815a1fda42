"""Windows: a run cut by days, in which each part goes on with what the one before left."""
