"""Keys of issuers and holders: kinds, encodings, signing and verification."""
