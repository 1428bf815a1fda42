"""Batch: two sides of any size, matched pass by pass."""
