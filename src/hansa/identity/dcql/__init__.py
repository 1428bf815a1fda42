"""The Digital Credentials Query Language: what a verifier asks for, and what answers it."""
