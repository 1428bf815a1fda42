"""W3C Data Integrity: credentials and presentations in JSON-LD, secured by proofs inside them."""
