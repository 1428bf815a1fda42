"""OAuth 2.0 as issuers of credentials use it: grants, proofs of possession, refusals."""
