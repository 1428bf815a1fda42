"""`did:webvh`: a DID on a web server whose whole history lies beside it, each entry signed.

The identifier holds the hash of the first entry, each entry the hash of the one before, and only
the keys that an entry names (or has promised by their hashes) may write the next. So whoever holds
the server alone cannot change what the DID says; witnesses, where there are any, see to it that
its controller cannot change it unseen either.

Source: did:webvh DID method 1.0 (https://identity.foundation/didwebvh/v1.0/).
"""

from __future__ import annotations

from typing import Any, NamedTuple

from hansa.identity.encoding.strict_json import decode_json, decode_object
from hansa.identity.faults import Fault, Unsound
from hansa.identity.methods.did import Did
from hansa.identity.methods.documents import DidDocument, Service, read_document
from hansa.identity.methods.web import Fetch, locate_folder
from hansa.identity.methods.webvh_log import Entry, check_witnesses, read_log

LOG_BYTES_MAX = 4 << 20
WITNESS_BYTES_MAX = 4 << 20
_SCID_LETTERS = 46
"""Of a multihash of SHA-256 in base58."""


class Version(NamedTuple):
    """What a did:webvh said from a moment on."""

    document: DidDocument
    version_id: str
    number: int
    since_ms: int
    state: dict[str, Any]
    """The document as it stands in the log."""


def locate_did_webvh(did: Did) -> str:
    """Compute the folder in which the log and the witnesses' proofs of a did:webvh lie.

    Raises:
      Unsound: `MALFORMED`.
    """
    scid, has_place, place = did.id.partition(":")
    if not has_place or len(scid) != _SCID_LETTERS:
        raise Unsound(Fault.MALFORMED, f"{did} is no did:webvh:identifier:domain")
    return locate_folder(did, place)


async def resolve_did_webvh(
    did: Did, fetch: Fetch, now_ms: int, time_ms: int | None = None
) -> Version:
    """Resolve a did:webvh as it is now, or as it was at a moment.

    Raises:
      Unsound: `MALFORMED`, `TOO_LARGE`, `DUPLICATE`, `KEY`, `SIGNATURE`, `UNSUPPORTED` or
        `UNRESOLVED`.
      Unavailable: the server does not answer now.
    """
    folder = locate_did_webvh(did)
    entries = read_history(did, await fetch(folder + "did.jsonl", LOG_BYTES_MAX), now_ms)
    if any(entry.witnesses.threshold for entry in entries):
        check_witness_file(
            did, entries, await fetch(folder + "did-witness.json", WITNESS_BYTES_MAX)
        )
    return find_version(did, entries, now_ms if time_ms is None else time_ms)


def read_history(did: Did, raw: bytes, now_ms: int) -> list[Entry]:
    """Read and verify a whole log; one entry that does not hold ends all trust in it.

    Raises:
      Unsound: as `resolve_did_webvh`.
    """
    what = f"the log of {did}"
    if len(raw) > LOG_BYTES_MAX:
        raise Unsound(Fault.TOO_LARGE, f"{what} has over {LOG_BYTES_MAX} bytes")
    lines = [line for line in raw.split(b"\n") if line.strip()]
    entries = read_log([decode_object(line, what, LOG_BYTES_MAX) for line in lines], what, now_ms)
    if entries[0].scid != did.id.partition(":")[0]:
        raise Unsound(Fault.UNRESOLVED, f"{what} is that of another identifier")
    for entry in entries:
        _check_name(did, entry)
    return entries


def check_witness_file(did: Did, entries: list[Entry], raw: bytes) -> None:
    """Check that as many witnesses as each entry asks for have signed it, or a later one.

    Raises:
      Unsound: `MALFORMED`, `TOO_LARGE`, `DUPLICATE` or `SIGNATURE`.
    """
    what = f"the witnesses' file of {did}"
    check_witnesses(entries, decode_json(raw, what, WITNESS_BYTES_MAX), what)


def find_version(did: Did, entries: list[Entry], time_ms: int) -> Version:
    """Find what the DID said at a moment, by a history that was read and checked.

    Raises:
      Unsound: `UNRESOLVED`: it did not exist yet, or its server was another one then; `MALFORMED`
        or others: its document is unsound.
    """
    until = [entry for entry in entries if entry.time_ms <= time_ms]
    if not until:
        raise Unsound(Fault.UNRESOLVED, f"{did} did not exist at that moment")
    entry = until[-1]
    if entry.state["id"] != str(did):
        raise Unsound(Fault.UNRESOLVED, f"{did} was then called {entry.state['id']}")
    document = read_document(entry.state, str(did))
    return Version(
        document._replace(
            is_deactivated=entry.is_deactivated,
            services=_add_services(did, document.services),
        ),
        entry.version_id,
        until.index(entry) + 1,
        entry.time_ms,
        entry.state,
    )


def _check_name(did: Did, entry: Entry) -> None:
    """Check that an entry names a DID of this method with the same identifying hash."""
    prefix = f"did:webvh:{entry.scid}:"
    name = entry.state["id"]
    if not name.startswith(prefix):
        raise Unsound(
            Fault.MALFORMED,
            f"entry {entry.version_id} of the log of {did} names another DID: {name!r}",
        )
    locate_folder(did, name.removeprefix(prefix))


def _add_services(did: Did, services: tuple[Service, ...]) -> tuple[Service, ...]:
    """Add the two services that each did:webvh has, where its document does not name them."""
    base = locate_did_webvh(did).removesuffix("/").removesuffix("/.well-known")
    named = {each.id for each in services}
    implied = (
        Service(f"{did}#files", "relativeRef", base),
        Service(f"{did}#whois", "LinkedVerifiablePresentation", f"{base}/whois.vp"),
    )
    return services + tuple(each for each in implied if each.id not in named)
