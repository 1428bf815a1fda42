"""Which entries belong together: scored, chosen, summed; pure functions of arrays."""
