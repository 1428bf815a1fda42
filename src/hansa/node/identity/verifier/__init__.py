"""Verifiers of credentials as a service: a folder, a web server, commands that ask and report."""
