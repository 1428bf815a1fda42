"""When credentials say that they were issued, and until when they hold: rounded, or they link.

By a time to the second the copies that a wallet takes at once are known as one person's, and so is
a credential by whoever saw it being issued. So all of an hour have the same times; of a day, where
no two showings may be linked (`bbs-2023`). But verifiers judge an issuer as of the time that a
credential bears: none is written before the moment since when they believe the issuer, as far as it
knows (`BelievedSince`). Until when a credential holds may always be rounded.

Source: OpenID4VCI 1.0, section 15.4.1; docs/concepts/identity.md, verification.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from hansa.identity.bbs_2023.suite import CRYPTOSUITE as BBS
from hansa.identity.keys.certificates import load_certificate
from hansa.node.identity.issuer.settings import CredentialFormat, CredentialKind, Settings

HOUR_S = 3_600
DAY_S = 86_400


class Times(NamedTuple):
    """What a credential says."""

    issued_s: int
    expires_s: int


def compute_times(kind: CredentialKind, now_s: int, since_s: int | None) -> Times:
    """Compute the times of a credential that is issued now.

    It never holds longer than the days of its kind, and shorter by less than an hour, or a day of
    several.

    Args:
      kind: of the credential.
      now_s: when it is issued.
      since_s: since when verifiers believe the issuer; None if it does not know.
    """
    start_s = compute_start(kind, now_s)
    if since_s is not None:
        issued_s = min(max(start_s, since_s), now_s)
    else:
        # Of bbs-2023 a time to the second would undo all that it is for.
        issued_s = start_s if kind.cryptosuite == BBS else now_s
    return Times(issued_s, start_s + kind.validity_days * DAY_S)


def compute_start(kind: CredentialKind, now_s: int) -> int:
    """Compute when the hour or day began of which all credentials have the same times.

    What holds for one day has those of its hour also with `bbs-2023`, or it would hold for minutes
    in the evening.
    """
    is_of_day = kind.cryptosuite == BBS and kind.validity_days > 1
    return now_s - now_s % (DAY_S if is_of_day else HOUR_S)


class BelievedSince:
    """Since when verifiers believe an issuer, by kinds of credentials.

    On the ledger that is what was seen there (`ledger.standing`), and else what the settings say.
    An issuer that is known by its key alone has no record in which it could begin. A certificate
    says when it begins.
    """

    def __init__(self, settings: Settings, chain: Sequence[bytes]) -> None:
        self._settings = settings
        self._certified_s = 0
        if chain:
            self._certified_s = int(load_certificate(chain[0]).not_valid_before_utc.timestamp())
        self._seen: Mapping[str, int] = {}

    def see(self, seen: Mapping[str, int]) -> None:
        """Take what was seen on the ledger: moments in seconds, by ids; others are not believed.

        May be called while another thread asks.
        """
        self._seen = dict(seen)

    def find(self, kind: CredentialKind) -> int | None:
        """Find since when (seconds); None if that is not known."""
        settings = self._settings
        is_certified = kind.format is CredentialFormat.MDOC or (
            kind.format is CredentialFormat.SD_JWT
            and bool(settings.certificates)
            and not settings.did
        )
        if settings.ledger is not None:
            since_s = self._seen.get(kind.id)
        elif (told_ms := settings.read_believed_since()) is not None:
            since_s = -(-told_ms // 1_000)
        else:
            since_s = None if settings.did or is_certified else 0
        if since_s is None or not is_certified:
            return since_s
        return max(since_s, self._certified_s)
