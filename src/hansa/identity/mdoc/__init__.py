"""Mobile documents (mdoc): issued, shown element by element, and verified.

Source: ISO/IEC 18013-5:2021. The session between a phone and a reader nearby is not part of it.
"""
