"""Desks: pages in a browser for the one person who keeps an issuer, a verifier or a wallet."""
