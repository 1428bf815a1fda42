"""Passes over what the multiset net leaves: each closes what it matches, and says why."""
