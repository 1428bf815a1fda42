"""A holder's wallet in a browser: pages of a desk over the wallet that the command line has."""
