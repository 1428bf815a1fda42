"""Identity on the ledger, for whoever asks a node: questions, and proofs of what is answered."""
