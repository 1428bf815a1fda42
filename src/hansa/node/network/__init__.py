"""A network of several institutions: making it, running its nodes on one machine, their status."""
