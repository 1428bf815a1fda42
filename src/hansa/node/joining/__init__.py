"""How a node of a voted network begins without blocks: from a snapshot that others vouch for."""
