"""What comes from a node, or goes to it, piece by piece: events, frames, many envelopes."""
