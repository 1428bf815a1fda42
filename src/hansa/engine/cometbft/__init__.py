"""The engine for several institutions: CometBFT orders the blocks, over ABCI 2.0."""
