"""Settings of one node: the file DIR/node.toml, typed, with a default for everything.

A missing file means the defaults, which answer this machine alone and show it nothing that is
not public. An error names the file, the key and what to do.

Source: docs/reference/settings.md.
"""

from __future__ import annotations

import os
import ssl
from collections.abc import Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType
from typing import Annotated
from urllib.parse import urlsplit

import msgspec
from msgspec import Meta

from hansa.engine.cometbft.configuration import Configuration
from hansa.engine.log import PRUNED_SEGMENT_BYTES, SEGMENT_BYTES
from hansa.kernel.encoding import DECODE_ERRORS, tell_fault
from hansa.kernel.errors import Invalid, InvalidCode, NotFound
from hansa.regular_files import open_regular
from hansa.sdk.arguments import is_unicode
from hansa.sdk.files import read_file
from hansa.shapes import tell_shape

DEFAULT_HOST = "127.0.0.1"
DEFAULT_PORT = 8460
SETTINGS_BYTES_MAX = 1 << 20
TOLD_LETTERS = 80
LOOPBACK_NAMES = frozenset({"127.0.0.1", "localhost", "::1"})

PORT_MAX = 65_535

Port = Annotated[int, Meta(ge=0, le=PORT_MAX)]
Seconds = Annotated[float, Meta(gt=0, le=3_600)]
Rate = Annotated[float, Meta(ge=0, le=10_000_000)]
HostName = Annotated[str, Meta(min_length=1, max_length=253)]


FORMS: Mapping[str, str] = MappingProxyType(
    {
        "cometbft.listen": 'an address and a port, as "0.0.0.0:26606"',
        "cometbft.external_address": 'an address and a port, as "a.example:26606", or empty',
        "cometbft.peers": (
            f'"ID@HOST:PORT", ID being the 40 hex digits of the peer, PORT from 1 to {PORT_MAX}'
        ),
        "cometbft.member": 'a member\'s address, as "hansa1…", or empty',
        "cometbft.join_from": (
            'the address of another member\'s node, as "https://a.example:26600"'
        ),
        "cometbft.log_level": 'a level but none, as "error", or by module, as "p2p:info,*:error"',
        "cometbft.metrics_listen": 'an address and a port, as "127.0.0.1:26609", or empty',
    }
)
"""What a key holds, in words, where a pattern says it otherwise."""


class LoopbackReads(StrEnum):
    """What a caller on this machine may read without a key."""

    ANYONE = "anyone"
    """What anybody may."""
    EVERYTHING = "everything"
    """All that is on the ledger: for a node on one's own machine, as in the demo."""


class Sponsored(StrEnum):
    """Whose single envelopes the node brings in under its own sponsor key."""

    ANYONE = "anyone"
    CUSTOMERS = "customers"
    """What a customer of its sponsor or a member has signed; of callers with a key, anything."""
    KNOWN = "known"
    """Callers with a key or certificate."""


class ClientCertificates(StrEnum):
    """Whether a caller must show a certificate of `client_ca`."""

    OPTIONAL = "optional"
    REQUIRED = "required"


class _Section(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A table of the file."""


class Listen(_Section, frozen=True, kw_only=True):
    """Where the node answers."""

    host: HostName = DEFAULT_HOST
    """Address to bind; `0.0.0.0` for all of IPv4, `::` for all of IPv6 and of IPv4."""
    port: Port = DEFAULT_PORT
    """0 for any free one."""
    public_names: tuple[HostName, ...] = ()
    """Host names, without port, under which callers reach the node; others are refused."""
    url: str = ""
    """How others reach this node; made of host and port where empty."""


class Tls(_Section, frozen=True, kw_only=True):
    """Certificates, PEM; paths are relative to the settings file."""

    certificate: str = ""
    """Chain of the server, leaf first; empty for plain HTTP."""
    key: str = ""
    """The certificate's private key, unencrypted, mode 0600."""
    client_ca: str = ""
    """Authorities whose client certificates are believed; empty for no mutual TLS."""
    client_certificates: ClientCertificates = ClientCertificates.OPTIONAL


class Access(_Section, frozen=True, kw_only=True):
    """Who may do what without a key."""

    loopback: LoopbackReads = LoopbackReads.ANYONE
    sponsor_for: Sponsored = Sponsored.CUSTOMERS


class Limits(_Section, frozen=True, kw_only=True):
    """Bounds of what callers may ask; a rate of 0 is no limit."""

    body_bytes: Annotated[int, Meta(ge=1_024, le=2**30)] = 6 * 2**20
    bodies_bytes: Annotated[int, Meta(ge=2_048, le=2**40)] = 128 * 2**20
    """Of all bodies whose requests are at work; a quarter is kept for callers with a key or
    certificate."""
    body_s: Seconds = 30.0
    """Within which a body must have arrived."""
    wait_ms: Annotated[int, Meta(ge=0, le=600_000)] = 30_000
    """Longest wait for a receipt; also where the caller does not say."""
    items: Annotated[int, Meta(ge=1, le=100_000)] = 1_000
    """Envelopes of one JSON request."""
    connections: Annotated[int, Meta(ge=1, le=1_000_000)] = 1_000
    """Open at one time; fewer where the system lets a process open fewer files."""
    connections_each: Annotated[int, Meta(ge=1, le=1_000_000)] = 200
    """Of one network address."""
    requests: Annotated[int, Meta(ge=1, le=1_000_000)] = 2_000
    """Requests at work at one time; a quarter is kept for callers with a key or certificate."""
    streams: Annotated[int, Meta(ge=1, le=100_000)] = 200
    """Streams of events and records at one time; a quarter is kept in the same way."""
    streams_each: Annotated[int, Meta(ge=1, le=100_000)] = 10
    """Of one caller: a key, or a network address."""
    anyone_per_s: Rate = 50.0
    """Requests and transactions a second of a caller without a key, by its network address."""
    anyone_burst: Rate = 200.0
    refused_cost: Annotated[int, Meta(ge=0, le=1_000_000)] = 25
    """What a transaction that is refused counts for, beyond what one counts for."""
    known_per_s: Rate = 2_000.0
    """The same for a caller with a key or certificate."""
    known_burst: Rate = 8_000.0


class Work(_Section, frozen=True, kw_only=True):
    """What the node uses of its machine."""

    verifiers: Annotated[int, Meta(ge=0, le=1_024)] = 0
    """Processes that verify signatures; 0 for as many as the machine has cores."""


class History(_Section, frozen=True, kw_only=True):
    """What the node keeps of its past."""

    retain_blocks: Annotated[int, Meta(ge=0, le=2**53)] = 0
    """Newest blocks that are kept at least; 0 for all."""
    snapshot_every: Annotated[int, Meta(ge=0, le=2**53)] = 0
    """Blocks between two snapshots; 0 for none, or for `retain_blocks` where those are bounded."""
    snapshots: Annotated[int, Meta(ge=1, le=100)] = 2
    """Snapshots that are kept."""
    segment_bytes: Annotated[int, Meta(ge=2**16, le=SEGMENT_BYTES)] = PRUNED_SEGMENT_BYTES
    """How large the log's files become where blocks are pruned: they go by whole files."""

    def choose_segment_bytes(self) -> int:
        """Choose how large the log's files become."""
        return self.segment_bytes if self.retain_blocks else SEGMENT_BYTES


class Channel(_Section, frozen=True, kw_only=True):
    """Messages between members' nodes; a node without a channel key has none."""

    outbox_messages: Annotated[int, Meta(ge=1, le=1_000_000)] = 10_000
    """To each recipient, that wait to be sent."""
    outbox_bytes: Annotated[int, Meta(ge=2**20, le=2**40)] = 2**28
    """Of their content."""
    inbox_messages: Annotated[int, Meta(ge=1, le=1_000_000)] = 1_000
    """Of each sender, that nobody here has taken yet."""
    inbox_bytes: Annotated[int, Meta(ge=2**20, le=2**40)] = 2**26
    """Of their content."""
    kept_days: Annotated[int, Meta(ge=1, le=3_650)] = 30
    """How long it is remembered what became of a message; its content is deleted before."""
    ca: str = ""
    """Authorities (PEM) to believe about other members' nodes; the system's where empty."""


class Reconciliation(_Section, frozen=True, kw_only=True):
    """Reconciling with other members; a node without a key for it does not."""

    key: str = ""
    """Key file that states for the member what its node finds: purpose ASSERT; empty for none."""
    results: str = ""
    """Folder with results of `hansa reconcile`, which the console shows; empty for none."""


class Risk(_Section, frozen=True, kw_only=True):
    """Risk control of what the node's customers pay."""

    decides: bool = False
    """Whether the node decides on it, by what is in the folder `risk` of its data folder."""


class Settings(_Section, frozen=True, kw_only=True):
    """Everything that `node.toml` can say."""

    listen: Listen = Listen()
    tls: Tls = Tls()
    access: Access = Access()
    limits: Limits = Limits()
    channel: Channel = Channel()
    reconciliation: Reconciliation = Reconciliation()
    risk: Risk = Risk()
    work: Work = Work()
    history: History = History()
    cometbft: Configuration = Configuration()
    """How a node of a voted network meets its peers; others do without."""
    folder: str = "."
    """Not of the file: the folder that paths are relative to."""

    @property
    def host_names(self) -> frozenset[str]:
        """Names under which the node answers, besides plain network addresses."""
        named = {name.lower() for name in self.listen.public_names}
        return LOOPBACK_NAMES | named | {self.listen.host.lower()}

    @property
    def results_folder(self) -> Path | None:
        """Where results of `hansa reconcile` lie; None if they are not shown."""
        named = self.reconciliation.results
        return self.find_path(named) if named else None

    def find_path(self, text: str) -> Path:
        """Find a file that the settings name."""
        return Path(self.folder) / text


def load_settings(path: Path) -> Settings:
    """Load and check a settings file; the defaults where there is none.

    Raises:
      Invalid: it is no file or no TOML, has an unknown key, or a value is out of range.
      Unavailable: it cannot be read.
    """
    try:
        raw = read_file(path, SETTINGS_BYTES_MAX)
    except NotFound:
        return Settings(folder=str(path.parent))
    if len(raw) > SETTINGS_BYTES_MAX:
        raise _wrong(path, f"it has more than {SETTINGS_BYTES_MAX} bytes")
    return parse_settings(raw, path)


def parse_settings(raw: bytes, path: Path) -> Settings:
    """Parse settings; `path` names them in errors, and relative paths begin in its folder.

    Raises:
      Invalid: see `load_settings`.
    """
    try:
        settings = msgspec.toml.decode(raw, type=Settings)
    except msgspec.ValidationError as error:
        what, _, where = str(error).partition(" - at `$")
        key = where.strip("`").lstrip(".")
        if key.partition("[")[0] in FORMS:
            raise _wrong(path, f"{key}: {_explain(key, what)}") from None
        raise _wrong(path, tell_shape(error, table="a table", kind=Settings)) from None
    except DECODE_ERRORS as error:
        raise _wrong(path, f"not TOML: {tell_fault(error)}") from None
    if settings.folder != ".":
        raise _wrong(path, "folder: not a key of the file")
    settings = msgspec.structs.replace(settings, folder=str(path.parent))
    _check(settings, path)
    return settings


def _explain(key: str, what: str) -> str:
    """Say in our words what a key of `FORMS` must hold."""
    if "`array` of length" in what:
        return f"at most {what.rpartition(' ')[2]} of them"
    return f"must be {FORMS[key.partition('[')[0]]}"


def check_list(option: str, key: str, texts: Sequence[str]) -> None:
    """Check what an option names before it is written as a list of texts into a settings file.

    Args:
      option: as people know it.
      key: of the settings, one that `FORMS` has words for.
      texts: what was named.

    Raises:
      Invalid: names the option, and says what it must be.
    """
    section, _, name = key.partition(".")
    for count, text in enumerate(texts, 1):
        try:
            found = msgspec.convert({section: {name: texts[:count]}}, Settings)
            _check(found, Path())
        except (msgspec.ValidationError, Invalid) as error:
            what = _explain(key, str(error).partition(" - at ")[0])
            told = f"{option} {text[:TOLD_LETTERS]!a}: {what}"
            raise Invalid(InvalidCode.ARGUMENTS, told) from None


def _check(settings: Settings, path: Path) -> None:
    """Check what needs more than one key."""
    tls, limits = settings.tls, settings.limits
    if bool(tls.certificate) != bool(tls.key):
        raise _wrong(path, "tls: certificate and key go together: name both, or neither")
    if tls.client_ca and not tls.certificate:
        raise _wrong(path, "tls.client_ca: mutual TLS needs tls.certificate and tls.key, too")
    if tls.client_certificates is ClientCertificates.REQUIRED and not tls.client_ca:
        raise _wrong(path, "tls.client_certificates: required, but tls.client_ca names nobody")
    if limits.bodies_bytes < 2 * limits.body_bytes:
        raise _wrong(path, "limits.bodies_bytes: at least twice limits.body_bytes")
    _check_ports(settings.cometbft, path)
    for who in ("anyone", "known"):
        if getattr(limits, f"{who}_per_s") and getattr(limits, f"{who}_burst") < 1:
            raise _wrong(path, f"limits.{who}_burst: at least 1 where there is a rate")


def _check_ports(found: Configuration, path: Path) -> None:
    named = [(f"peers[{number}]", peer) for number, peer in enumerate(found.peers)]
    keys = ("listen", "external_address", "metrics_listen")
    named += [(key, getattr(found, key)) for key in keys]
    for key, text in named:
        if text and not 1 <= int(text.rpartition(":")[2]) <= PORT_MAX:
            raise _wrong(path, f"cometbft.{key}: {text} names no port from 1 to {PORT_MAX}")
    for number, url in enumerate(found.join_from):
        if not _is_url(url):
            key = f"cometbft.join_from[{number}]"
            raise _wrong(path, f"{key}: {_explain(key, '')}")


def _is_url(text: str) -> bool:
    """Whether a text of a URL's form names a host, and a port that there is."""
    try:
        parts = urlsplit(text)
        return bool(parts.hostname) and parts.port != 0 and is_unicode(text)
    except ValueError:
        return False


def _wrong(path: Path, what: str) -> Invalid:
    return Invalid(
        InvalidCode.MALFORMED,
        f"the settings {path} are wrong: {what}; correct it (docs/reference/settings.md), "
        "or remove it for the default",
        path=str(path),
    )


def build_tls(settings: Settings) -> ssl.SSLContext | None:
    """Build the server's TLS: 1.2 at least; None for plain HTTP.

    Raises:
      Invalid: a file is missing, unreadable or no certificate or key, or the two do not belong
        together; names the key of the settings.
    """
    tls = settings.tls
    if not tls.certificate:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    for key in ("certificate", "key", "client_ca"):
        _require_readable(settings, key)
    try:
        context.load_cert_chain(
            settings.find_path(tls.certificate), settings.find_path(tls.key), password=_no_password
        )
    except (ssl.SSLError, ValueError) as error:
        raise Invalid(
            InvalidCode.MALFORMED,
            f"tls.certificate {tls.certificate} and tls.key {tls.key} of {settings.folder}/"
            f"node.toml cannot be used together: {error}; both must be PEM, the key unencrypted",
        ) from None
    if tls.client_ca:
        _trust_clients(context, settings)
    return context


def _no_password() -> str:
    """Answer for an encrypted key, so that OpenSSL does not ask at the terminal."""
    raise ValueError("the key is encrypted")


def _require_readable(settings: Settings, key: str) -> None:
    name: str = getattr(settings.tls, key)
    if not name:
        return
    path = settings.find_path(name)
    try:
        os.close(open_regular(path))
    except Invalid as error:
        named = f"tls.{key} of {settings.folder}/node.toml names it"
        raise Invalid(error.code, f"{error.message}; {named}", path=str(path)) from None
    except OSError as error:
        raise Invalid(
            InvalidCode.MALFORMED,
            f"tls.{key} of {settings.folder}/node.toml names {path}: {error.strerror}",
            path=str(path),
        ) from None


def _trust_clients(context: ssl.SSLContext, settings: Settings) -> None:
    tls = settings.tls
    try:
        context.load_verify_locations(settings.find_path(tls.client_ca))
    except ssl.SSLError as error:
        raise Invalid(
            InvalidCode.MALFORMED,
            f"tls.client_ca {tls.client_ca} of {settings.folder}/node.toml holds no "
            f"certificate in PEM: {error}",
        ) from None
    is_required = tls.client_certificates is ClientCertificates.REQUIRED
    context.verify_mode = ssl.CERT_REQUIRED if is_required else ssl.CERT_OPTIONAL
