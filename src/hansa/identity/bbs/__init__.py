"""The BBS signature scheme: one signature over many messages, and proofs that show only some.

A proof is made anew from chance each time: nobody, not even the issuer, can tell whether two of
them come from one signature, save by what they disclose. The arithmetic of the curve is that of
a library; the scheme above it is ours, and not constant-time (docs/decisions/0016-bbs.md).

Source: draft-irtf-cfrg-bbs-signatures-08.
"""
