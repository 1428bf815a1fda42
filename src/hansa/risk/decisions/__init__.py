"""Decisions: one verdict, with its reasons, of what lists, rules and a model say of a payment."""
