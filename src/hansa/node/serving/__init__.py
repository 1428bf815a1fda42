"""The server of one node: API and console behind one port, and what stands around every request."""
