"""Issuer and verifier as services: settings, files, HTTP, and what stands around every request."""
