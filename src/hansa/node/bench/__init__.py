"""Benchmarks: commands that print one JSON object, counting confirmed, successful work only."""
