"""The state machine: blocks go in, state, receipts and headers come out.

What stands here and in `hansa.kernel.trees` is where a node spends its time. It holds no types
of msgspec, so that it may be compiled (scripts/compile.py); compiled or not, it does the same.
"""
