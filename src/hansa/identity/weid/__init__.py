"""WeIdentity's DIDs and credentials, read and verified so that they can be issued anew.

From what a caller gives: no node of FISCO BCOS is asked. What its formats do not protect is said in
`docs/reference/credentials.md`.
"""
