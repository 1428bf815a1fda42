"""Others' software on the planted payments: datacompy and Splink, each where it is installed."""
