"""The ledger kernel: values, encodings, hashes, signatures, state, and `apply_block`.

Nothing here knows a contract, a disk or a network. Time and height come in as arguments;
randomness does not exist.
"""
