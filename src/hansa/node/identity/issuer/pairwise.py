"""Names of persons towards operators of wallets, made by a secret that lies in the records.

A name is made of the claim that tells persons apart, and of what that claim is called: credentials
of several types name a person alike where they go by the same claim. The secret is drawn once.
Whoever loses it (the file of records) gives persons new names, by which each could lift another
wallet; whoever steals it can link wallets of different operators.

Source: docs/concepts/identity.md, Tiers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from hansa.identity.faults import Fault, Unsound
from hansa.identity.store import Kind
from hansa.identity.tiers import PAIRWISE, SECRET_BYTES, compute_pairwise_subject
from hansa.kernel.crypto.address import from_text
from hansa.node.identity.issuer.settings import CredentialKind, Settings
from hansa.node.identity.records import RecordFile

_FOREVER_MS = 2**62
_SECRET = "secret"  # noqa: S105 - its name


class PairwiseNames:
    """Adds to claims the names that operators see."""

    def __init__(
        self, settings: Settings, records: RecordFile, draw: Callable[[int], bytes]
    ) -> None:
        self._operators = settings.operators
        self._records = records
        self._draw = draw

    def add(self, kind: CredentialKind, claims: Mapping[str, Any]) -> Mapping[str, Any]:
        """Add the names of the person that the claims are about; none where settings ask for none.

        Raises:
          Unsound: the claims do not say who it is, or have such names already.
        """
        if not kind.pairwise_by:
            return claims
        person = claims.get(kind.pairwise_by)
        if not isinstance(person, str) or not person:
            raise Unsound(
                Fault.SCHEMA,
                f"{kind.pairwise_by} is missing or no text: it tells persons apart (pairwise_by)",
            )
        if PAIRWISE in claims:
            raise Unsound(Fault.SCHEMA, f"{PAIRWISE} is made by the issuer itself: leave it out")
        secret = self._get_secret()
        # A licence and a resident may have the same number, and are not the same person.
        person_id = f"{kind.pairwise_by}\x00{person}"
        names = {
            each: compute_pairwise_subject(secret, person_id, from_text(each))
            for each in self._operators
        }
        return {**claims, PAIRWISE: names}

    def _get_secret(self) -> bytes:
        with self._records.at_once():
            found = self._records.get(Kind.PAIRWISE, _SECRET, 0)
            if found is None:
                found = self._draw(SECRET_BYTES)
                self._records.put(Kind.PAIRWISE, _SECRET, found, _FOREVER_MS)
            return found
