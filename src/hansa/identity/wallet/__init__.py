"""A holder's wallet, without sockets: it receives credentials, and shows the least that will do."""
