"""The folder of a verifier: settings, keys, queries and records; made once, then opened.

Source: docs/how-to/verify-credentials.md.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

from hansa.identity.data_integrity.contexts import Contexts, load_pinned
from hansa.identity.dcql.queries import Query, read_query
from hansa.identity.encoding.strict_json import decode_object
from hansa.identity.faults import Unsound
from hansa.identity.keys.signing import PrivateKey
from hansa.identity.methods.local import write_did_jwk
from hansa.identity.verifier.certified import Roots
from hansa.identity.verifier.findings import Report
from hansa.identity.verifier.registry import Registry
from hansa.identity.verifier.requests import VerifierIdentity
from hansa.identity.verifier.sessions import Accepted, Asking, Session, Verifier, VerifierSettings
from hansa.kernel.errors import NotFound, Unavailable
from hansa.node.identity.folders import (
    SIGNING,
    Draw,
    load_contexts,
    open_records,
    read_chain,
    read_keys,
    read_roots,
    write_secrets,
    write_settings,
)
from hansa.node.identity.records import RecordFile
from hansa.node.identity.settings import wrong
from hansa.node.identity.verifier.pinned import NO_ROOTS, PinnedRegistry
from hansa.node.identity.verifier.settings import Settings, load_settings
from hansa.passphrases import DEFAULT_COST, ScryptCost
from hansa.sdk.files import read_file, write_file

SETTINGS, QUERY = "verifier.toml", "adult.dcql.json"
QUERY_BYTES_MAX = 1 << 16
_TEMPLATES = Path(__file__).parent / "templates"


class VerifierFolder(NamedTuple):
    """An opened folder; close its records."""

    settings: Settings
    queries: dict[str, Query]
    """By the id of their question."""
    identity: VerifierIdentity
    records: RecordFile
    draw: Draw
    roots: Mapping[str, Roots] = NO_ROOTS
    """By the file that the settings name."""
    load_contexts: Callable[[], Contexts] = load_pinned
    """Gives those that credentials may name."""

    def ask(self, question_id: str, time_ms: int, redirect_uri: str = "") -> Asking:
        """Begin to ask a question of the settings; with `redirect_uri`, on the person's device.

        Raises:
          NotFound: there is no such question.
        """
        question = self.settings.find(question_id)
        if question is None:
            raise NotFound(f"this verifier has no question {question_id!r}")
        return self.ask_query(self.queries[question_id], question.purpose, time_ms, redirect_uri)

    def ask_query(self, query: Query, purpose: str, time_ms: int, redirect_uri: str = "") -> Asking:
        """Begin to ask for whatever a query asks for.

        Raises:
          Unsound: it asks for issuers of certain authorities, which nobody here checks.
        """
        desk = self.build(NOBODY)
        with self.records.at_once():
            return desk.ask(query, purpose, time_ms, redirect_uri=redirect_uri)

    def get_report(self, session_id: str, time_ms: int, response_code: str = "") -> Report | None:
        """Get what came of a session; None while there is no answer.

        Args:
          session_id: of the session.
          time_ms: now.
          response_code: with which the browser came back, where the answer sent it on.

        Raises:
          NotFound: there is no such session, its time is over, or the code is another.
        """
        return self.build(NOBODY).get_report(session_id, response_code, time_ms)

    def get_session(self, session_id: str, time_ms: int) -> Session:
        """Get a session as its verifier knows it; raises `NotFound`."""
        return self.build(NOBODY).get_session(session_id, time_ms)

    def list_sessions(self, time_ms: int, limit: int) -> list[Session]:
        """List sessions that are open, or were answered within the last hour; newest first."""
        return self.build(NOBODY).list_sessions(time_ms, limit)

    def write_request_uri(self, session_id: str) -> str:
        """Write what a QR code or a link of a session holds."""
        return self.build(NOBODY).write_request_uri(session_id)

    def build(
        self, registry: Registry, accept: Callable[[Accepted], None] | None = None
    ) -> Verifier:
        """Build the protocol's part, which asks this registry; `accept` as for `Verifier`."""
        settings = VerifierSettings(
            url=self.settings.url,
            encrypts=self.settings.wallets.encryption,
            load_contexts=self.load_contexts,
        )
        return Verifier(settings, self.identity, self.records, registry, self.draw, accept)


async def _fetch_nothing(uri: str) -> str:
    raise Unavailable(f"nothing is fetched here: {uri}")


NOBODY = PinnedRegistry((), _fetch_nothing, lambda: 0)
"""Of who asks and reads reports, and judges nothing."""


def create_folder(
    path: Path, *, url: str, name: str, passphrase: str, draw: Draw, cost: ScryptCost = DEFAULT_COST
) -> Settings:
    """Make the folder of a verifier, with a new key and the example of a question.

    Raises:
      Invalid: something is there already, or the settings cannot be.
      Unavailable: the disk refuses.
    """
    write_settings(path, _TEMPLATES / SETTINGS, load_settings, url=url, name=name)
    write_file(path / QUERY, (_TEMPLATES / QUERY).read_bytes())
    write_secrets(path, [SIGNING], passphrase, draw, cost)
    return load_settings(path / SETTINGS)


def open_verifier(path: Path, passphrase: str, draw: Draw) -> VerifierFolder:
    """Open the folder of a verifier.

    Raises:
      NotFound: a file is missing.
      Invalid: a file is wrong, or the passphrase is.
      Corrupt: the records are damaged.
      Unavailable: the disk refuses.
    """
    settings = load_settings(path / SETTINGS)
    queries = {each.id: _load_query(path / each.query) for each in settings.questions}
    (key,) = read_keys(path, [SIGNING], passphrase)
    identity = _identify(path, settings, key)
    contexts = load_contexts(path, settings.contexts)
    roots = {name: _load_roots(path / name) for name in settings.list_root_files()}
    records = open_records(path, [key], passphrase, draw)
    return VerifierFolder(settings, queries, identity, records, draw, roots, lambda: contexts)


def _load_query(path: Path) -> Query:
    raw = read_file(path, QUERY_BYTES_MAX)
    try:
        return read_query(decode_object(raw, "the query", QUERY_BYTES_MAX))
    except Unsound as error:
        raise wrong(path, error.message) from None


def _load_roots(path: Path) -> Roots:
    try:
        return Roots(read_roots(path))
    except Unsound as error:
        raise wrong(path, error.message) from None


def _identify(path: Path, settings: Settings, key: PrivateKey) -> VerifierIdentity:
    if settings.certificates:
        place = path / settings.certificates
        chain = read_chain(place, key)
        if not settings.host:
            return VerifierIdentity.of_certificate(chain, key)
        try:
            return VerifierIdentity.of_host(settings.host, chain, key)
        except Unsound as error:
            raise wrong(place, error.message) from None
    if settings.did:
        return VerifierIdentity.of_did(settings.did, settings.key_id, key)
    did = write_did_jwk(key.public_key)
    return VerifierIdentity.of_did(did, f"{did}#0", key)
