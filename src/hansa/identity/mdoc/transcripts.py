"""Session transcripts: what a holder's device signs together with what it shows.

They name the one request that is answered, so that an answer cannot be shown to somebody else.

Source: OpenID for Verifiable Presentations 1.0, appendix B.2.6; ISO/IEC 18013-5, sections 9.1.3.4
and 9.1.5.1.
"""

from __future__ import annotations

import hashlib

from hansa.identity.encoding.cbor import encode_cbor, encode_wrapped


def create_redirect_transcript(
    client_id: str, nonce: str, response_uri: str, thumbprint: bytes | None = None
) -> bytes:
    """Write the transcript of a request over redirects or `direct_post`.

    Args:
      client_id: as in the request, with its prefix.
      nonce: as in the request.
      response_uri: as in the request; `redirect_uri` where that is used.
      thumbprint: SHA-256 thumbprint of the key to which the answer is encrypted, if it is.
    """
    return _create("OpenID4VPHandover", [client_id, nonce, thumbprint, response_uri])


def create_browser_transcript(origin: str, nonce: str, thumbprint: bytes | None = None) -> bytes:
    """Write the transcript of a request over the Digital Credentials API of a browser.

    Args:
      origin: of the page that asked, without `origin:`.
      nonce: as in the request.
      thumbprint: SHA-256 thumbprint of the key to which the answer is encrypted, if it is.
    """
    return _create("OpenID4VPDCAPIHandover", [origin, nonce, thumbprint])


def compute_device_authentication(transcript: bytes, doc_type: str, namespaces: bytes) -> bytes:
    """Compute what the device signs.

    Args:
      transcript: encoded; it goes in as it is.
      doc_type: of the document.
      namespaces: the elements that the device adds, encoded.
    """
    parts = encode_cbor("DeviceAuthentication"), transcript, encode_cbor(doc_type)
    whole = b"\x84" + b"".join(parts) + encode_wrapped(namespaces)
    return encode_wrapped(whole)


def _create(name: str, info: list[str | bytes | None]) -> bytes:
    return encode_cbor([None, None, [name, hashlib.sha256(encode_cbor(info)).digest()]])
