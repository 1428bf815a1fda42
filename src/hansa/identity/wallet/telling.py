"""What a wallet holds and is asked, in words that its person reads."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from hansa.identity.wallet.holdings import Holding
from hansa.kernel.calendar import format_iso

TECHNICAL = frozenset({"iss", "iat", "nbf", "exp", "vct", "vct#integrity", "cnf", "status"})
"""Claims about an SD-JWT VC, not about its holder."""
W3C_TECHNICAL = frozenset(
    {
        "@context",
        "type",
        "issuer",
        "validFrom",
        "validUntil",
        "issuanceDate",
        "expirationDate",
        "credentialStatus",
        "credentialSchema",
        "proof",
    }
)
"""What a credential by the W3C's model says of itself, in the same way of many holders."""
SUBJECT = "credentialSubject"
TRANSACTION_TECHNICAL = frozenset({"credential_ids", "transaction_data_hashes_alg"})
"""What a transaction says to wallets: which credentials sign it, and how."""
WORDS_LETTERS_MAX = 48
"""Of the name of a claim; a longer one is written as it is."""
LINES_MAX = 1_000
"""Of one credential; what is beyond is counted, not told."""
DEPTH_MAX = 32
_END_MS = 253_402_300_800_000
"""The year 10000."""


class Line(NamedTuple):
    """One value of a credential, or the name over some."""

    depth: int
    """How far inside others it stands, from 0."""
    name: str
    value: str | None
    """None for a name over what follows."""


def name_holding(holding: Holding) -> str:
    """Find the name that the issuer gave a kind of credentials, for people."""
    return find_name(holding.display)


def find_name(display: object) -> str:
    """Find a name in display data, which an issuer chose; empty where there is none."""
    items = display if isinstance(display, list | tuple) else []
    names = [each.get("name") for each in items if isinstance(each, dict)]
    return next((name for name in names if isinstance(name, str)), "")


def list_claims(claims: Mapping[str, Any]) -> dict[str, Any]:
    """List what a credential says, but for what every one of its format says of itself.

    Beside its subject a credential by the W3C's model may hold more, as evidence or a number of its
    own: that is shown with the rest, so it is listed with the rest.

    >>> list_claims({"type": "VerifiableCredential", "id": "urn:7", "credentialSubject": {"a": 1}})
    {'a': 1, 'credential id': 'urn:7'}
    """
    if isinstance(claims.get("vct"), str):
        return {name: value for name, value in claims.items() if name not in TECHNICAL}
    if SUBJECT not in claims:
        return dict(claims)
    subject = claims[SUBJECT]
    said = subject if isinstance(subject, dict) else {SUBJECT: subject}
    others = claims.keys() - W3C_TECHNICAL - {SUBJECT}
    return said | {f"credential {name}": claims[name] for name in claims if name in others}


def name_signer(claims: Mapping[str, Any]) -> str:
    """Name who signed a credential, as it says itself."""
    issuer = claims.get("iss") or claims.get("issuer")
    named = issuer.get("id") if isinstance(issuer, dict) else issuer
    return named if isinstance(named, str) else "a certificate"


def list_lines(claims: Mapping[str, Any]) -> list[Line]:
    """List values with their names, those inside others below these.

    >>> for line in list_lines({"address": {"city": "Macao"}, "is_over_18": True}):
    ...     print("  " * line.depth + line.name, line.value)
    Address None
      City Macao
    Is over 18 yes
    """
    found: list[Line] = []
    for line in _walk(claims, 0):
        if len(found) == LINES_MAX:
            found.append(Line(0, "More", f"over {LINES_MAX:,} values: the command line shows all"))
            break
        found.append(line)
    return found


def list_transaction(data: Mapping[str, Any]) -> list[Line]:
    """List what a transaction says to its holder, its kind first.

    >>> list_transaction({"amount": "1.20", "credential_ids": ["a"], "type": "payment"})[0].value
    'payment'
    """
    told = {name: value for name, value in data.items() if name not in TRANSACTION_TECHNICAL}
    first = {"type": told.pop("type")} if "type" in told else {}
    return list_lines(first | told)


def _walk(value: Mapping[str, Any], depth: int) -> Iterator[Line]:
    for name, each in value.items():
        inner = dict(enumerate(each, 1)) if isinstance(each, list) else each
        if not isinstance(inner, dict) or depth == DEPTH_MAX:
            yield Line(depth, write_name(name), write_value(each))
        elif not inner:
            yield Line(depth, write_name(name), "nothing")
        else:
            yield Line(depth, write_name(name), None)
            yield from _walk({str(key): part for key, part in inner.items()}, depth + 1)


def write_name(name: str) -> str:
    """Write the name of a claim for people."""
    if len(name) > WORDS_LETTERS_MAX:  # no words, but an address or a hash
        return name
    words = name.replace("_", " ").strip()
    return words[:1].upper() + words[1:] or name


def write_value(value: object) -> str:
    """Write a value for people."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "none" if value is None else str(value)


def name_verifier(client_id: str) -> str:
    """Name a verifier as people know it: by its DID, or the name in its certificate."""
    kind, _, name = client_id.partition(":")
    return name if kind in ("decentralized_identifier", "x509_san_dns") else client_id


def tell_verifier(client_id: str) -> str:
    """Tell who asks, and how that is known."""
    kind, _, name = client_id.partition(":")
    if kind == "decentralized_identifier":
        return f"{name} asks; its signature is that of this DID."
    if kind == "x509_san_dns":
        return f"{name} asks; a certificate that you trust says that it is the one."
    return f"A verifier with a certificate that you trust asks: {client_id}"


def write_time(time_ms: int | None) -> str:
    """Write a moment; empty for none, and for one that no calendar has."""
    if time_ms is None or not 0 <= time_ms < _END_MS:
        return ""
    return format_iso(time_ms, 0)
