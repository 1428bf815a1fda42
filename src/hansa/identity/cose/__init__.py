"""COSE: keys and signatures in CBOR, as mobile documents and status lists carry them."""
