"""Identity on the ledger, as the API answers it: in JSON, and as rows with proofs."""
