"""Holding a result against its manifest, and the manifest against what the ledger has of it."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from itertools import islice

from hansa.contracts.identity.evidence import get_evidence
from hansa.kernel.errors import Invalid
from hansa.kernel.rows import Rows
from hansa.node.console.reconciliation.runs.folders import (
    ENTRIES_MAX,
    Gone,
    Hashes,
    opened_file,
    read_below,
    walk,
)
from hansa.node.console.reconciliation.runs.shapes import MANIFEST
from hansa.sdk.evidence import (
    EVIDENCE_SUFFIX,
    FILE_BYTES_MAX,
    VerifiedEvidence,
    verify_evidence_file,
)
from hansa.shapes import Unread

HASHED_BYTES_MAX = 1 << 28
"""Of all files of a result together, that are hashed for a page: the smallest first."""
FILES_MAX = 1_000
"""Files of a result that are looked at."""
SHOWN_MAX = 20
VERIFIED_KEPT = 256
EVIDENCE = f"{MANIFEST}{EVIDENCE_SUFFIX}"


class State(StrEnum):
    """What the ledger has of a manifest."""

    NONE = "none"
    """There is no evidence file beside it."""
    ON_RECORD = "on_record"
    REVOKED = "revoked"
    OTHER = "other"
    """The evidence is of another manifest, or of this one before it was changed."""
    UNKNOWN = "unknown"
    """The evidence is in order, and this node's ledger does not have it."""
    UNREAD = "unread"
    """The evidence file cannot be read, or proves nothing on this network."""


@dataclass(frozen=True, slots=True)
class Proof:
    """What the evidence file of a manifest says by itself."""

    state: State
    """ON_RECORD, if the ledger has it, too."""
    evidence: VerifiedEvidence | None = None
    text: str = ""
    """What is wrong with it."""


@dataclass(frozen=True, slots=True)
class Record:
    """What the ledger has of a manifest."""

    state: State
    evidence: VerifiedEvidence | None
    text: str
    revoked_ms: int = 0
    cosigned: int = 0
    """How many others have signed it."""


@dataclass(frozen=True, slots=True)
class Checked:
    """The files of a result, held against its manifest."""

    named: int
    """By the manifest."""
    equal: int
    findings: tuple[tuple[str, str], ...]
    """File, and what is wrong with it; of those that are shown."""
    wrong: int
    """All of them."""
    left: int
    """Files that were not looked at."""
    left_bytes: int
    others: tuple[str, ...]
    """Files that the manifest does not name; of those that are shown."""

    @property
    def is_sound(self) -> bool:
        """Whether nothing was found that is wrong."""
        return not self.wrong


class Prover:
    """Verifies evidence files, each content but once.

    Args:
      genesis_hash: of the network that they must be of.
    """

    def __init__(self, genesis_hash: bytes) -> None:
        self._genesis_hash = genesis_hash
        self._kept: dict[bytes, VerifiedEvidence | str] = {}

    def prove(self, folder: int, manifest: bytes) -> Proof:
        """Verify the evidence file beside a manifest."""
        try:
            raw = read_below(folder, EVIDENCE, FILE_BYTES_MAX)
        except Gone:
            return Proof(State.NONE)
        except Unread as error:
            return Proof(State.UNREAD, text=f"{EVIDENCE} {error}")
        found = self._verify(raw)
        if isinstance(found, str):
            return Proof(State.UNREAD, text=found)
        return Proof(State.ON_RECORD if found.is_of(manifest) else State.OTHER, found)

    def _verify(self, raw: bytes) -> VerifiedEvidence | str:
        key = hashlib.sha256(raw).digest()
        if key not in self._kept:
            if len(self._kept) >= VERIFIED_KEPT:
                self._kept.clear()
            try:
                self._kept[key] = verify_evidence_file(raw, self._genesis_hash)
            except Invalid as error:
                self._kept[key] = error.message
        return self._kept[key]


def find_record(rows: Rows, proof: Proof) -> Record:
    """Find on the ledger what a proof says is there."""
    found = proof.evidence
    if proof.state is not State.ON_RECORD or found is None:
        return Record(proof.state, found, proof.text)
    row = get_evidence(rows, found.notary, found.evidence_hash)
    if row is None:
        return Record(State.UNKNOWN, found, proof.text)
    state = State.REVOKED if row.revoked_ms else State.ON_RECORD
    return Record(state, found, proof.text, row.revoked_ms, len(row.signed))


def check_files(folder: int, named: Mapping[str, str], hashes: Hashes) -> Checked:
    """Hold the files of a folder against what its manifest names, as far as a page has time.

    Args:
      folder: an open one.
      named: hashes by the names of files.
      hashes: of earlier times.
    """
    findings: list[tuple[str, str]] = []
    sizes = []
    for name in sorted(named)[:FILES_MAX]:
        try:
            with opened_file(folder, name) as file:
                sizes.append((os.fstat(file).st_size, name))
        except Unread as error:
            findings.append((name, str(error)))
    left, equal, room = max(0, len(named) - FILES_MAX), 0, HASHED_BYTES_MAX
    left_bytes = 0
    for size, name in sorted(sizes):
        room -= size
        if room < 0:
            left, left_bytes = left + 1, left_bytes + size
            continue
        try:
            with opened_file(folder, name) as file:
                is_equal = hashes.hash(file) == named[name]
        except Unread as error:
            findings.append((name, str(error)))
            continue
        equal += is_equal
        if not is_equal:
            findings.append((name, "was changed"))
    return Checked(
        len(named),
        equal,
        tuple(findings[:SHOWN_MAX]),
        len(findings),
        left,
        left_bytes,
        _list_others(folder, named),
    )


def _list_others(folder: int, named: Mapping[str, str]) -> tuple[str, ...]:
    own = {MANIFEST, EVIDENCE}
    try:
        below = list(islice(walk(folder), ENTRIES_MAX))
    except Unread:
        return ()
    return tuple(
        sorted(
            name for name, is_folder in below if not (is_folder or name in named or name in own)
        )[:SHOWN_MAX]
    )
