"""Lists that an operator keeps itself: wallets, devices and merchants to allow or to block."""
