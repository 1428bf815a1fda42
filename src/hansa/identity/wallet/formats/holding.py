"""What a wallet must do with credentials of any format."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Protocol

from hansa.identity.keys.kinds import PublicKey
from hansa.identity.keys.signing import Signer
from hansa.identity.sd_jwt.paths import Path
from hansa.identity.wallet.requests import PresentationRequest


class Read(NamedTuple):
    """What a credential says."""

    type: str
    """By which people know what it is."""
    types: frozenset[str]
    """All that queries may ask for."""
    claims: dict[str, Any]
    key: PublicKey | None
    """To which it is bound; None if it is to none."""
    expires_ms: int | None
    """None for never."""


class Showing(NamedTuple):
    """To whom and how a credential is shown."""

    request: PresentationRequest
    paths: Sequence[Path]
    signer: Signer | None
    """With the key to which it is bound; None where no binding is asked for, or there is none."""
    transactions: tuple[str, ...]
    time_ms: int
    draw: Callable[[int], bytes]


class HoldingFormat(Protocol):
    """Reads and shows credentials of one format. Whatever is wrong raises `Unsound`."""

    def decode(self, credential: object) -> str:
        """Read what an issuer sent; returns the text that is kept."""

    def read(self, credential: str) -> Read:
        """Read what a credential says."""

    def widen(self, credential: str, paths: tuple[Path, ...]) -> tuple[Path, ...]:
        """List all that is shown where these paths must be."""

    def show(self, credential: str, paths: Sequence[Path]) -> dict[str, Any]:
        """Compute what somebody sees to whom these paths are shown."""

    def present(self, credential: str, showing: Showing) -> str | dict[str, Any]:
        """Write a presentation."""
