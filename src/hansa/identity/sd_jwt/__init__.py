"""SD-JWT and SD-JWT VC: credentials whose holder shows some claims and keeps the others.

Source: RFC 9901; draft-ietf-oauth-sd-jwt-vc.
"""
