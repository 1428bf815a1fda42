"""CometBFT as a program: finding it, and running it as a child that dies with its parent."""
