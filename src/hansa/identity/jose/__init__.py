"""JOSE: signed and encrypted tokens, read strictly."""
