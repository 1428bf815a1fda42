"""An issuer of credentials as a service: a folder, a web server, an officer's commands."""
