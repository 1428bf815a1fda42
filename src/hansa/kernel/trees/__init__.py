"""Authenticated trees: the binary tree of a block and the 16-ary tree of the state."""
