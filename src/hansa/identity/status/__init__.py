"""Status lists: which credentials are suspended or revoked, told of all of them at once."""
