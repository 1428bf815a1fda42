"""The cryptosuite `bbs-2023`: credentials of which holders show parts, unlinkably.

Source: W3C Data Integrity BBS Cryptosuites 1.0.
"""
