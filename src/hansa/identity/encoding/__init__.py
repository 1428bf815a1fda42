"""Encodings of identity's formats, read strictly: each value has one form, and nothing else."""
