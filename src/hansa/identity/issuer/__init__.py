"""An issuer of credentials by OpenID4VCI 1.0, without sockets: requests in, answers out."""
