"""A simulated city's payments, with its crimes: the same seed gives the same bytes anywhere."""
