"""The desk that brings in what the node's customers send, under the node's own name."""
