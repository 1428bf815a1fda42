"""Replay of a real payments file: every payment signed, verified, executed and durable."""
