"""What an issuer wants on the ledger: noted first, then submitted until it is confirmed."""
