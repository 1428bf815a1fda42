"""Types that the wire, the contracts and the API share: one definition of a value.

Amounts are integers in minor units (cents); a signed 64-bit integer bounds them.
"""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

INT64_MAX = 2**63 - 1
TRANSACTION_VERSION = 1
"""Of transactions and batches."""

Address = Annotated[bytes, Meta(min_length=32, max_length=32)]
"""32 bytes: hash of suite and public key of an account's first key."""

Hash = Annotated[bytes, Meta(min_length=32, max_length=32)]
Signature = Annotated[bytes, Meta(min_length=64, max_length=64)]
Nonce = Annotated[bytes, Meta(min_length=16, max_length=16)]
Positive = Annotated[int, Meta(ge=1, le=INT64_MAX)]
NonNegative = Annotated[int, Meta(ge=0, le=INT64_MAX)]
Signed = Annotated[int, Meta(ge=-INT64_MAX, le=INT64_MAX)]
LATEST_MS = 2**53
TimeMs = Annotated[int, Meta(ge=0, le=LATEST_MS)]
"""Milliseconds of ledger time since 1970-01-01T00:00:00Z."""

Name = Annotated[str, Meta(min_length=1, max_length=64)]
AssetCode = Annotated[str, Meta(min_length=1, max_length=24)]
"""Names an asset: currency, liable issuer and regime (see the `currency` contract)."""

EndToEndId = Annotated[str, Meta(min_length=1, max_length=35)]
"""ISO 20022 EndToEndIdentification, Max35Text: the payer's own reference."""

NODE_PEERS_MAX = 8
NODE_URL_MAX = 96

PeerId = Annotated[bytes, Meta(min_length=20, max_length=20)]
"""Names a CometBFT node to its peers: the first 20 bytes of SHA-256 of its node key."""

PeerIds = Annotated[tuple[PeerId, ...], Meta(max_length=NODE_PEERS_MAX)]
KeyOrNone = Annotated[bytes, Meta(max_length=32)]
"""A public key of 32 bytes, or nothing."""

Url = Annotated[str, Meta(max_length=NODE_URL_MAX)]

Text = Annotated[str, Meta(max_length=140)]
"""ISO 20022 Max140Text."""
