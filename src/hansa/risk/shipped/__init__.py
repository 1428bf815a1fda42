"""The model that ships: how it is made of simulated cities, and what lies beside it."""
