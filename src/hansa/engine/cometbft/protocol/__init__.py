"""The messages of ABCI, made from abci.proto by scripts/protocol.sh."""
