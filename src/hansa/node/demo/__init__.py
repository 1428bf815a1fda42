"""The resident's day: a town made from a seed, its institutions, people, merchants and payments."""
