"""Holding credentials by format: one module for each, and the table of them."""
