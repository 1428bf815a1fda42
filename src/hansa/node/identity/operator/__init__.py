"""An operator of wallets: lifts them by credentials that it is shown, and lowers them again."""
