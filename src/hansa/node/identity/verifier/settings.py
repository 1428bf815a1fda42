"""Settings of a verifier: the file `verifier.toml` of its folder.

Source: docs/how-to/verify-credentials.md.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

from msgspec import Meta

from hansa.identity.faults import Unsound
from hansa.identity.keys.jwk import read_jwk
from hansa.identity.methods.did import read_did, read_did_url
from hansa.node.identity.settings import (
    Genesis,
    Id,
    Listen,
    Name,
    Section,
    find_url_fault,
    is_safe_url,
    read_settings,
)
from hansa.node.settings import LOOPBACK_NAMES, Rate

DEFAULT_PORT = 8471
LOCAL_METHODS = ("did:jwk:", "did:key:")


class AskedQuestion(Section, frozen=True, kw_only=True):
    """Something that can be asked for."""

    id: Id
    purpose: Name
    """Why, in words."""
    query: str
    """File of the DCQL query."""


class TrustedIssuer(Section, frozen=True, kw_only=True):
    """An issuer that is believed by this file alone."""

    id: Annotated[str, Meta(min_length=1, max_length=2_000)]
    """As credentials name it: `iss`."""
    name: Name
    types: Annotated[tuple[str, ...], Meta(min_length=1)]
    """What it may issue."""
    status: str = ""
    """Where its status lists lie: their addresses begin so. Empty: what has one is refused."""
    key: dict[str, str] = {}  # noqa: RUF012 - msgspec copies it
    """JWK; of a did:jwk or did:key nothing."""
    roots: str = ""
    """PEM file of the roots to which its certificates lead, instead of a key."""


class LedgerNode(Section, frozen=True, kw_only=True):
    """A node, none of which is believed: it proves what it says."""

    url: str
    genesis: Genesis
    """Hash that names the network."""
    roots: str = ""
    """PEM file of the roots to which certificates of issuers lead, that name DIDs."""


class Asking(Section, frozen=True, kw_only=True):
    """What is asked of wallets."""

    encryption: bool = True
    """Whether answers must be encrypted to the verifier."""
    requests_per_s: Rate = 50.0
    """Of one network address; 0 is no limit."""
    requests_burst: Rate = 200.0


class Settings(Section, frozen=True, kw_only=True):
    """Everything that `verifier.toml` can say."""

    url: str
    name: Name
    did: str = ""
    """Who the verifier is to wallets; a did:jwk of its key where empty."""
    key_id: str = ""
    certificates: str = ""
    """PEM file of the key's certificate chain, leaf first, instead of a DID."""
    host: str = ""
    """A domain in that certificate by which wallets know the verifier; its hash where empty."""
    contexts: dict[str, str] = {}  # noqa: RUF012 - msgspec copies it
    """Files of JSON-LD contexts, by the URL that credentials name."""
    listen: Listen = Listen()
    wallets: Asking = Asking()
    questions: Annotated[tuple[AskedQuestion, ...], Meta(min_length=1, max_length=64)]
    issuers: Annotated[tuple[TrustedIssuer, ...], Meta(max_length=1_000)] = ()
    node: LedgerNode | None = None

    def find(self, question_id: str) -> AskedQuestion | None:
        """Find a question by its id."""
        return next((each for each in self.questions if each.id == question_id), None)

    def list_root_files(self) -> list[str]:
        """List the files of roots that are named."""
        named = [each.roots for each in self.issuers]
        named += [] if self.node is None else [self.node.roots]
        return sorted({each for each in named if each})

    @property
    def host_names(self) -> frozenset[str]:
        """Names under which the service answers, besides plain network addresses."""
        return LOOPBACK_NAMES | {urlsplit(self.url).hostname or "", self.place[0].lower()}

    @property
    def believes_anyone(self) -> bool:
        """Whether any issuer's credentials can be accepted."""
        return bool(self.issuers) or self.node is not None

    @property
    def place(self) -> tuple[str, int]:
        """Host and port on which the service listens."""
        return self.listen.find_place(self.url, DEFAULT_PORT)


def load_settings(path: Path) -> Settings:
    """Load and check the settings; raises as `read_settings`."""
    return read_settings(path, Settings, _find_faults)


def _find_faults(settings: Settings) -> Iterator[str]:
    """Find what needs more than one key, or a closer look."""
    if (fault := find_url_fault(settings.url)) is not None:
        yield f"url: {fault}"
    if len({each.id for each in settings.questions}) < len(settings.questions):
        yield "questions: two have one id"
    if bool(settings.did) != bool(settings.key_id) or (settings.did and settings.certificates):
        yield "did and key_id go together, and not with certificates"
    if settings.host and not settings.certificates:
        yield "host: needs certificates, one of which holds it"
    if settings.host and settings.host != urlsplit(settings.url).hostname:
        yield "host: must be that of url: wallets send their answers to no other"
    if settings.node is not None and settings.issuers:
        yield "issuers and node: whom to believe stands in one of them"
    if settings.node is not None and not is_safe_url(settings.node.url):
        yield "node.url: must be https; http is for this machine alone"
    for issuer in settings.issuers:
        yield from _find_issuer_faults(issuer)
    try:
        if settings.did:
            read_did(settings.did)
            read_did_url(settings.key_id)
    except Unsound as error:
        yield error.message


def _find_issuer_faults(issuer: TrustedIssuer) -> Iterator[str]:
    if issuer.status and (not is_safe_url(issuer.status) or not issuer.status.endswith("/")):
        yield f"issuers.status of {issuer.name}: must be https://… with a slash at its end"
    ways = [bool(issuer.key), bool(issuer.roots), issuer.id.startswith(LOCAL_METHODS)]
    if sum(ways) != 1:
        yield (
            f"issuers.key of {issuer.name}: needed, or roots, unless the id is a did:jwk or did:key"
        )
    try:
        if issuer.roots:
            return
        if issuer.key:
            read_jwk(issuer.key, f"issuers.key of {issuer.name}")
        else:
            read_did(issuer.id)
    except Unsound as error:
        yield error.message
