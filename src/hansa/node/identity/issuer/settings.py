"""Settings of an issuer: the file `issuer.toml` of its folder.

Source: docs/how-to/issue-credentials.md.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Literal, NamedTuple
from urllib.parse import urlsplit

from msgspec import Meta

from hansa.contracts.identity.status import LENGTH_MAX, Bits
from hansa.identity.bbs_2023.suite import CRYPTOSUITE as BBS
from hansa.identity.data_integrity.contexts import CREDENTIALS_V2, UNDEFINED_TERMS
from hansa.identity.data_integrity.suites import SUITES
from hansa.identity.encoding.timestamp import read_timestamp
from hansa.identity.faults import Unsound
from hansa.identity.issuer.configurations import (
    JWT_VC,
    LDP,
    MDOC,
    SD_JWT,
    Configuration,
    IssuerSettings,
    Rules,
)
from hansa.identity.keys.jwk import read_jwk
from hansa.identity.keys.kinds import PublicKey
from hansa.identity.methods.did import read_did, read_did_url
from hansa.identity.naming import LISTS
from hansa.kernel.crypto.address import from_text, to_text
from hansa.kernel.errors import Invalid
from hansa.node.identity.settings import (
    Id,
    Listen,
    Name,
    Section,
    find_url_fault,
    is_redirect,
    read_settings,
)
from hansa.node.settings import LOOPBACK_NAMES, Rate

DEFAULT_PORT = 8470
HOUR_MS = 3_600_000
STATUS = "status"

Days = Annotated[int, Meta(ge=1, le=36_500)]


class Profile(StrEnum):
    """What is asked of wallets."""

    OPEN = "open"
    """Any wallet that speaks OpenID4VCI 1.0."""
    HAIP = "haip"
    """HAIP 1.0: tokens bound to a key (DPoP), wallets that a known maker attests."""


class CredentialFormat(StrEnum):
    """How credentials are written, by the names of OpenID4VCI 1.0, appendix A."""

    SD_JWT = SD_JWT
    MDOC = MDOC
    LDP = LDP
    JWT_VC = JWT_VC


class CredentialKind(Section, frozen=True, kw_only=True):
    """A credential that can be issued."""

    id: Id
    """By which offers name it."""
    type: Annotated[str, Meta(min_length=1, max_length=2_000)]
    """What verifiers ask for: `vct`, `doctype`, or the type beside `VerifiableCredential`."""
    name: Name
    """As wallets show it."""
    locale: Annotated[str, Meta(pattern=r"\A[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*\Z")] = "en"
    """Language of the names (BCP 47)."""
    format: CredentialFormat = CredentialFormat.SD_JWT
    namespace: str = ""
    """Of the elements of a mobile document; its type where empty."""
    cryptosuite: str = ""
    """Of the proof of a credential `ldp_vc`."""
    context: str = ""
    """URL of the context, one of `contexts`, that defines the words of a W3C credential."""
    key_id: str = ""
    """The key of the DID document that signs this credential, if it is not that of the issuer."""
    schema: str = ""
    """File of the JSON Schema 2020-12 of its claims; empty for any claims."""
    scope: Id | None = None
    """Of OAuth; the id where not given."""
    validity_days: Days = 365
    needs_binding: bool = True
    """Whether it is bound to a key of its holder."""
    needs_attestation: bool = False
    """Whether that key must be attested by a maker of wallets."""
    revocable: bool = True
    """Whether it gets a place in a status list."""
    anchor: bool = False
    """Whether its hash is put on record on the ledger."""
    pairwise_by: str = ""
    """The claim that tells persons apart: of it, names towards each operator are made."""


class Asking(Section, frozen=True, kw_only=True):
    """What is asked of wallets, and for how long things are good."""

    batch_size: Annotated[int, Meta(ge=1, le=32)] = 10
    """Keys, and so credentials, of one request."""
    fetches: Annotated[int, Meta(ge=1, le=100)] = 4
    """How often one credential may be fetched, each time for a whole batch."""
    encryption: bool = False
    """Whether requests and answers must be encrypted within TLS, too."""
    offer_minutes: Annotated[int, Meta(ge=1, le=10_080)] = 10
    deferred_days: Annotated[int, Meta(ge=1, le=365)] = 14
    """How long a wallet may wait for a credential that is not ready."""
    notify_deferred: bool = False
    """Whether a wallet is asked what became of such a one; some refuse an answer that does."""
    requests_per_s: Rate = 50.0
    """Of one network address; 0 is no limit."""
    requests_burst: Rate = 200.0


class Status(Section, frozen=True, kw_only=True):
    """Where status lists lie."""

    url: str = ""
    """Address of the lists, to which `/1`, `/2` … is added; empty for this service's own."""
    length: Annotated[int, Meta(ge=1_024, le=2**24)] = 2**17
    """Credentials of one list; a quarter of the places stays free."""
    bits: Literal[1, 2] = 1
    """Of a place in a list of this service; with one, credentials cannot be suspended."""


class LedgerAccess(Section, frozen=True, kw_only=True):
    """A node of the ledger, to which what the issuer decides is brought."""

    node: str
    """Its address, without a path."""
    genesis: Annotated[str, Meta(pattern=r"\A[0-9a-f]{64}\Z")]
    """Hash that names the network."""
    key: Annotated[str, Meta(min_length=1)]
    """File of the key of an account that may assert for the issuer."""
    api_key_file: str = ""
    """File of the key by which the node knows who asks."""


class Lists(NamedTuple):
    """Where status lists lie."""

    base: str
    tail: str = ""
    """Ahead of a list's number: whose list it is on the ledger, where it is on it, too."""
    is_ours: bool = True
    """Whether this service serves them, also in other forms than as tokens."""

    def locate(self, number: int | str, *form: str) -> str:
        """Locate a list, as a token or in another form; elsewhere it has one address for all."""
        return "/".join((self.base, *(form if self.is_ours else ()))) + f"{self.tail}/{number}"


class Settings(Section, frozen=True, kw_only=True):
    """Everything that `issuer.toml` can say."""

    url: str
    """Who the issuer is to wallets: https, or http on this machine; without a path."""
    name: Name
    profile: Profile = Profile.OPEN
    did: str = ""
    """Who the issuer is to verifiers; a did:jwk of its key where empty."""
    key_id: str = ""
    """The key of the DID document that signs; with `did`."""
    certificates: str = ""
    """PEM file of the key's certificate chain, leaf first: for mobile documents, and for all where
    there is no DID."""
    believed_since: str = ""
    """Since when verifiers believe it (RFC 3339), where no ledger says it; empty: not known."""
    contexts: dict[str, str] = {}  # noqa: RUF012 - msgspec copies it
    """Files of JSON-LD contexts by their URL."""
    listen: Listen = Listen()
    wallets: Asking = Asking()
    status: Status = Status()
    ledger: LedgerAccess | None = None
    """Where lists, revocations and anchors are brought to the ledger; without, nothing is."""
    credentials: Annotated[tuple[CredentialKind, ...], Meta(min_length=1, max_length=64)]
    operators: tuple[str, ...] = ()
    """Addresses of operators of wallets towards whom persons get a name each."""
    clients: dict[str, tuple[str, ...]] = {}  # noqa: RUF012 - msgspec copies it
    """Redirect addresses by client_id: wallets that may use the page."""
    makers: dict[str, dict[str, str]] = {}  # noqa: RUF012 - msgspec copies it
    """Public keys (JWK) of makers of wallets, by the name that their attestations give."""

    def find(self, credential_id: str) -> CredentialKind | None:
        """Find a credential by its id."""
        return next((each for each in self.credentials if each.id == credential_id), None)

    @property
    def lists(self) -> Lists:
        """Where the status lists lie."""
        if self.status.url:
            return Lists(self.status.url, is_ours=False)
        on_ledger = f"/{LISTS}/{to_text(self.read_address())}" if self.ledger is not None else ""
        return Lists(f"{self.url}/{STATUS}", on_ledger)

    @property
    def status_bits(self) -> Bits:
        """Of a place in a status list."""
        return Bits(self.status.bits) if self.ledger is None else Bits.TWO

    def read_address(self) -> bytes:
        """Read the issuer's address on the ledger; raises `Invalid` if its DID has none."""
        return from_text(self.did.rpartition(":")[2])

    @property
    def host_names(self) -> frozenset[str]:
        """Names under which the service answers, besides plain network addresses."""
        return LOOPBACK_NAMES | {urlsplit(self.url).hostname or "", self.place[0].lower()}

    @property
    def place(self) -> tuple[str, int]:
        """Host and port on which the service listens."""
        return self.listen.find_place(self.url, DEFAULT_PORT)

    def read_believed_since(self) -> int | None:
        """Read since when it is believed (ms); None if it does not say; raises `Unsound`."""
        text = self.believed_since
        return read_timestamp(text, "believed_since") if text else None

    def read_makers(self) -> dict[str, PublicKey]:
        """Read the keys of makers of wallets; raises `Unsound`."""
        return {name: read_jwk(jwk, f"makers.{name}") for name, jwk in self.makers.items()}

    def build(
        self, list_algorithms: Callable[[CredentialKind], tuple[str | int, ...]]
    ) -> IssuerSettings:
        """Build the settings of the protocol; told is with what each credential is signed."""
        is_strict = self.profile is Profile.HAIP
        asking = self.wallets
        return IssuerSettings(
            url=self.url,
            display=({"name": self.name},),
            clients=self.clients,
            rules=Rules(
                batch_size=asking.batch_size,
                issues_max=asking.fetches,
                needs_dpop=is_strict,
                needs_attested_wallet=is_strict,
                needs_encryption=asking.encryption,
                code_ms=asking.offer_minutes * 60_000,
                deferred_ms=asking.deferred_days * 24 * HOUR_MS,
                notifies_deferred=asking.notify_deferred,
            ),
            configurations=tuple(
                Configuration(
                    id=each.id,
                    format=each.format.value,
                    type=each.type,
                    scope=each.scope or each.id,
                    display=({"name": each.name},),
                    signing=list_algorithms(each),
                    contexts=(CREDENTIALS_V2, each.context or UNDEFINED_TERMS),
                    needs_binding=each.needs_binding,
                    needs_attestation=each.needs_attestation,
                )
                for each in self.credentials
            ),
        )


def _find_pairwise_faults(settings: Settings) -> Iterator[str]:
    for each in settings.operators:
        try:
            from_text(each)
        except Invalid as error:
            yield f"operators: {error.message}"
    for kind in settings.credentials:
        if not kind.pairwise_by:
            continue
        if not settings.operators:
            yield f"credentials.{kind.id}: pairwise_by is of use only with operators"
        if kind.format is not CredentialFormat.SD_JWT:
            yield f"credentials.{kind.id}: pairwise_by is for {SD_JWT} alone"


def load_settings(path: Path) -> Settings:
    """Load and check the settings; raises as `read_settings`."""
    return read_settings(path, Settings, _find_faults)


def _find_kind_faults(kind: CredentialKind, settings: Settings) -> Iterator[str]:
    """Find what does not fit the format of a credential."""
    what = f"credentials: {kind.id}"
    if kind.format is CredentialFormat.MDOC:
        if not settings.certificates:
            yield f"{what}: a mobile document needs certificates, for its issuer has no other name"
        if not kind.needs_binding:
            yield f"{what}: a mobile document is always bound to a key of its holder"
    elif kind.namespace:
        yield f"{what}: namespace is for mobile documents"
    is_vcdm = kind.format in {CredentialFormat.LDP, CredentialFormat.JWT_VC}
    if kind.context and (not is_vcdm or kind.context not in settings.contexts):
        yield f"{what}: context is for W3C credentials, and one of contexts"
    if kind.key_id and not (is_vcdm and settings.did):
        yield f"{what}: key_id is for W3C credentials of an issuer with a did"
    if kind.format is CredentialFormat.LDP:
        yield from _find_suite_faults(kind, settings, what)
    elif kind.cryptosuite:
        yield f"{what}: cryptosuite is for the format {LDP}"


def _find_suite_faults(kind: CredentialKind, settings: Settings, what: str) -> Iterator[str]:
    if kind.cryptosuite not in (*SUITES, BBS):
        yield f"{what}: cryptosuite must be one of {', '.join([*SUITES, BBS])}"
    if kind.cryptosuite == BBS and (kind.needs_binding or kind.revocable):
        yield (
            f"{what}: with {BBS} set needs_binding and revocable to false: a key and a place in a "
            "status list would link what shall not be linkable"
        )
    if settings.did and not kind.key_id and not kind.cryptosuite.startswith("ecdsa-"):
        yield f"{what}: name the key of the DID document that signs it (key_id)"


def _find_faults(settings: Settings) -> Iterator[str]:
    """Find what needs more than one key, or a closer look."""
    if (fault := find_url_fault(settings.url)) is not None:
        yield f"url: {fault}"
    if settings.status.url and not settings.status.url.startswith("https://"):
        yield "status.url: must be https://…"
    yield from _find_ledger_faults(settings)
    ids = [each.id for each in settings.credentials]
    if len(set(ids)) < len(ids):
        yield "credentials: two have one id"
    if bool(settings.did) != bool(settings.key_id):
        yield "did and key_id go together"
    for each in settings.credentials:
        yield from _find_kind_faults(each, settings)
    yield from _find_pairwise_faults(settings)
    try:
        settings.read_makers()
        settings.read_believed_since()
        if settings.did:
            read_did(settings.did)
            read_did_url(settings.key_id)
    except Unsound as error:
        yield error.message
    if settings.profile is Profile.HAIP and not settings.makers:
        yield "makers: with profile haip no wallet is let in but those of makers that stand here"
    for client, addresses in settings.clients.items():
        if not addresses or any(not is_redirect(each) for each in addresses):
            yield f"clients.{client}: list the addresses to which the wallet is sent back"


def _find_ledger_faults(settings: Settings) -> Iterator[str]:
    """Find why what is decided here could not be brought to the ledger."""
    if any(
        each.anchor and each.format is not CredentialFormat.SD_JWT for each in settings.credentials
    ):
        yield f"anchor: only of credentials of the format {CredentialFormat.SD_JWT}"
    if settings.ledger is None:
        if any(each.anchor for each in settings.credentials):
            yield "anchor: needs a [ledger] on which hashes are put on record"
        return
    if settings.believed_since:
        yield "believed_since: leave it out, for the issuer finds it on the ledger"
    if (fault := find_url_fault(settings.ledger.node)) is not None:
        yield f"ledger.node: {fault}"
    if not settings.did.startswith("did:hansa:"):
        yield "ledger: needs a did of the ledger (did:hansa:…), and a key_id"
        return
    try:
        address = to_text(settings.read_address())
    except Invalid as error:
        yield f"did: {error.message}"
        return
    url = settings.status.url
    if url and not url.endswith(f"/{LISTS}/{address}"):
        yield f"status.url: must end with /{LISTS}/{address}, or be left out"
    if settings.status.length > LENGTH_MAX:
        yield f"status.length: on the ledger a list has {LENGTH_MAX} places at most"
