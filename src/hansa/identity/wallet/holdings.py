"""Holdings: the credentials of a wallet, what it showed of them to whom, and how it finds them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

import msgspec

from hansa.identity.dcql.matching import Candidate
from hansa.identity.faults import Fault, Unsound
from hansa.identity.keys.kinds import PublicKey
from hansa.identity.sd_jwt.paths import Path
from hansa.identity.wallet.formats.table import find_format

HOLDINGS_MAX = 10_000


class Holding(msgspec.Struct, frozen=True):
    """A credential in a wallet."""

    id: str
    format: str
    credential: str
    issuer: str
    """Where it came from: the credential issuer's identifier."""
    received_ms: int
    key: PublicKey | None
    """To which it is bound; the wallet has its private half."""
    display: tuple[dict[str, Any], ...] = ()


class Disclosure(msgspec.Struct, frozen=True):
    """What was shown once."""

    time_ms: int
    verifier: str
    """`client_id`, as the request was signed."""
    holding_id: str
    paths: tuple[Path, ...]
    transactions: tuple[str, ...] = ()
    """Transaction data that the holder authorised, base64url of JSON."""


class Origin(NamedTuple):
    """Where a credential came from, and when."""

    issuer: str
    received_ms: int
    display: tuple[dict[str, Any], ...] = ()
    """How the issuer would have it shown."""


def take_credential(
    form: str,
    credential: object,
    *,
    holding_id: str,
    origin: Origin,
    keys: dict[PublicKey, object],
) -> Holding:
    """Take a credential that an issuer sent, if it is bound to a key of this wallet or to none.

    Whether its issuer may issue it is the verifier's business; a holder sees what it says.

    Raises:
      Unsound: it is none of that format, or bound to a key that this wallet does not have.
    """
    found = find_format(form)
    text = found.decode(credential)
    key = found.read(text).key
    if key is not None and key not in keys:
        raise Unsound(Fault.BINDING, "the credential is bound to a key of somebody else")
    return Holding(holding_id, form, text, origin.issuer, origin.received_ms, key, origin.display)


def describe(holding: Holding) -> Candidate:
    """Describe a holding as a candidate for queries.

    Raises:
      Unsound: it is damaged.
    """
    read = find_format(holding.format).read(holding.credential)
    is_bound = holding.key is not None
    return Candidate(holding.id, holding.format, read.types, read.claims, is_bound)


def find_type(holding: Holding) -> str:
    """Find by which name people know what a holding is.

    Raises:
      Unsound: it is damaged.
    """
    return find_format(holding.format).read(holding.credential).type


def find_expiry_ms(holding: Holding) -> int | None:
    """Find until when a holding says that it is valid; None for ever.

    Raises:
      Unsound: it is damaged.
    """
    return find_format(holding.format).read(holding.credential).expires_ms


def show_claims(holding: Holding, paths: Iterable[Path]) -> dict[str, Any]:
    """Compute all that somebody sees to whom these paths are shown.

    Raises:
      Unsound: it is damaged, or does not have them.
    """
    return find_format(holding.format).show(holding.credential, list(paths))
