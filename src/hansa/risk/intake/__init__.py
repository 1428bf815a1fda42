"""Intake: payments in the order in which an operator takes them in, as rows of features."""
