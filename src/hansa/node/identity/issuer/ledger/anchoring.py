"""Writing credentials that the ledger is to know of: their lists stand there, and their hashes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hansa.identity.issuer.configurations import Configuration, WriteCredential, Written
from hansa.identity.keys.kinds import PublicKey
from hansa.identity.verifier.judgement import compute_anchor
from hansa.kernel.errors import Unavailable
from hansa.node.identity.issuer.ledger.wants import Wants
from hansa.node.identity.issuer.settings import Settings


class AnchoringWriter:
    """A `WriteCredential` that notes what the ledger is to say, and does not wait for it."""

    def __init__(self, write: WriteCredential, settings: Settings, wants: Wants) -> None:
        self._write = write
        self._settings = settings
        self._wants = wants

    def __call__(
        self,
        configuration: Configuration,
        dataset: str,
        claims: Mapping[str, Any],
        key: PublicKey | None,
        issued_ms: int,
    ) -> Written:
        """Make a credential; see `CredentialWriter`.

        Raises:
          Unavailable: the list that it would name is not on the ledger yet.
        """
        if not self._wants.has_room():
            raise Unavailable("the next status list is not on the ledger yet: ask again")
        written = self._write(configuration, dataset, claims, key, issued_ms)
        kind = self._settings.find(configuration.id)
        if kind is not None and kind.anchor:
            self._wants.want_anchor(int(written.reference), _compute_anchor(written.credential))
        return written


def _compute_anchor(credential: str | dict[str, Any]) -> bytes:
    """Compute what verifiers look for: of an SD-JWT, what the issuer signed without disclosures."""
    assert isinstance(credential, str), "settings let only such credentials be anchored"  # noqa: S101
    return compute_anchor(credential.partition("~")[0].encode())
