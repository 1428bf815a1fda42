"""A verifier by OpenID4VP 1.0, without sockets: it asks, and judges what is presented."""
