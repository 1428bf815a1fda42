"""What validators of CometBFT signed, verified offline: headers, commits, hand-overs of sets.

Small on purpose, and complete by itself: a stranger can write it again from
docs/reference/light.md in an evening.
"""
