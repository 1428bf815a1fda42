"""Results in a folder: which there are, and what each tells of itself.

Files are read away from the node's other work, for one page at a time.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from hansa.kernel.errors import NotFound
from hansa.node.console.reconciliation.runs.checking import (
    Checked,
    Proof,
    Prover,
    State,
    check_files,
)
from hansa.node.console.reconciliation.runs.folders import (
    Gone,
    Hashes,
    Named,
    find_time_ns,
    list_folders,
    opened,
    opened_below,
    read_below,
)
from hansa.node.console.reconciliation.runs.shapes import (
    MANIFEST,
    REPORT,
    SUMMARY,
    Manifest,
    Summary,
    decode_manifest,
    decode_summary,
)
from hansa.shapes import Unread

MANIFEST_BYTES_MAX = 1 << 22
SUMMARY_BYTES_MAX = 1 << 22
REPORT_BYTES_MAX = 1 << 26
NS_PER_MS = 1_000_000
_NO_PROOF = Proof(State.NONE)


@dataclass(frozen=True, slots=True)
class Run:
    """One result, as it tells itself."""

    name: str
    written_ms: int
    """When its manifest was written last, by the machine's clock; 0 if that is not known."""
    manifest: Manifest | None = None
    """None if it cannot be read."""
    summary: Summary | None = None
    trouble: tuple[str, ...] = ()
    """What cannot be read, in words."""
    manifest_sha256: str = ""
    proof: Proof = _NO_PROOF


class RunList(NamedTuple):
    """A page of results, the newest first."""

    runs: list[Run]
    total: int
    """Of all results."""
    is_whole: bool
    """Whether all that is in the folder was looked at."""
    trouble: str
    """Why there is none, if the folder cannot be read."""


class RunPage(NamedTuple):
    """All of one result."""

    run: Run
    checked: Checked | None
    """None where the manifest cannot be read."""
    has_report: bool
    """Whether its manifest names a report."""


class Runs:
    """Reads the results in a folder.

    Args:
      folder: that they lie in.
      genesis_hash: of the network that they are notarised on.
    """

    def __init__(self, folder: Path, genesis_hash: bytes) -> None:
        self.folder = folder.absolute()
        self._hashes = Hashes()
        self._prover = Prover(genesis_hash)
        self._reading = asyncio.Lock()

    async def list_runs(self, first: int, count: int) -> RunList:
        """List some results, from the newest but so many on."""
        async with self._reading:
            return await asyncio.to_thread(self._list, first, count)

    async def get_run(self, name: str) -> RunPage:
        """Get one result by the name of its folder; raises `NotFound`."""
        async with self._reading:
            return await asyncio.to_thread(self._get, name)

    async def read_report(self, name: str) -> bytes:
        """Read the report of a result for people.

        Raises:
          NotFound: there is no such result.
          Unread: there is none, or not the one that the manifest names.
        """
        async with self._reading:
            return await asyncio.to_thread(self._read_report, name)

    def _list(self, first: int, count: int) -> RunList:
        try:
            with opened(self.folder) as root:
                listed = list_folders(root)
                dated = [(_find_time_ns(root, each), each.name, each) for each in listed.folders]
                dated.sort(reverse=True)
                shown = dated[first : first + count]
                runs = [self._read_listed(root, each, at) for at, _, each in shown]
        except Unread as error:
            return RunList([], 0, is_whole=True, trouble=f"{self.folder} {error}")
        return RunList(runs, len(dated), listed.is_whole, "")

    def _read_listed(self, root: int, named: Named, at_ns: int) -> Run:
        if named.is_link:
            trouble = "It is a link, which is not followed"
            return Run(named.name, at_ns // NS_PER_MS, trouble=(trouble,))
        try:
            with opened_below(root, named.name) as folder:
                return self._read(folder, named.name, at_ns)
        except Unread as error:
            return Run(named.name, at_ns // NS_PER_MS, trouble=(f"It {error}",))

    def _read(self, folder: int, name: str, at_ns: int) -> Run:
        at_ms = at_ns // NS_PER_MS
        try:
            raw = read_below(folder, MANIFEST, MANIFEST_BYTES_MAX)
        except Unread as error:
            return Run(name, at_ms, trouble=(f"{MANIFEST} {error}",))
        digest = hashlib.sha256(raw).hexdigest()
        proof = self._prover.prove(folder, raw)
        manifest, summary, trouble = None, None, []
        try:
            manifest = decode_manifest(raw)
            summary = decode_summary(read_below(folder, SUMMARY, SUMMARY_BYTES_MAX))
        except Unread as error:
            trouble.append(f"{MANIFEST if manifest is None else SUMMARY} {error}")
        if manifest and summary and summary.result_sha256 != manifest.result_sha256:
            summary = None
            trouble.append(f"{SUMMARY} is of another result than {MANIFEST}")
        return Run(name, at_ms, manifest, summary, tuple(trouble), digest, proof)

    def _get(self, name: str) -> RunPage:
        with self._opened(name) as folder:
            run = self._read(folder, name, find_time_ns(folder, MANIFEST))
            if run.manifest is None:
                return RunPage(run, None, has_report=False)
            files = run.manifest.files
            return RunPage(run, check_files(folder, files, self._hashes), REPORT in files)

    def _read_report(self, name: str) -> bytes:
        with self._opened(name) as folder:
            named = decode_manifest(read_below(folder, MANIFEST, MANIFEST_BYTES_MAX)).files
            if REPORT not in named:
                raise Gone("was not written")
            raw = read_below(folder, REPORT, REPORT_BYTES_MAX)
            if hashlib.sha256(raw).hexdigest() != named[REPORT]:
                raise Unread(f"is not the one that {MANIFEST} names")
            return raw

    @contextmanager
    def _opened(self, name: str) -> Iterator[int]:
        """Open the folder of a result; hidden ones are none."""
        with ExitStack() as stack:
            try:
                root = stack.enter_context(opened(self.folder))
                folder = stack.enter_context(opened_below(root, name))
            except Unread:
                folder = -1
            if folder < 0 or name.startswith("."):
                raise NotFound("there is no such result")
            yield folder


def _find_time_ns(root: int, named: Named) -> int:
    """Find when a result was written: its manifest, or its folder if it has none."""
    own = 0 if named.is_link else find_time_ns(root, f"{named.name}/{MANIFEST}")
    return own or find_time_ns(root, named.name)
