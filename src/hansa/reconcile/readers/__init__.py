"""Readers: from a bank's file to parts of entries, statements and findings, a part at a time."""
