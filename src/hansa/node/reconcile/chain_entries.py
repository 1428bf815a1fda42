"""A node's chain as a side of a reconciliation: what moved on some owners' money, day by day.

The chain is read from the node's folder, be it running or stopped, a block at a time. Each block is
held against its header, and that against the next one, so that the hash of the last header stands
for all that was read; and that one must be sealed by whom genesis names, or lead to a block that
validators signed, as followed from genesis or a checkpoint. Whether the rules make of the
transactions what the receipts say, `hansa verify` finds out.

Source: docs/reference/statements.md, "The ledger".
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Generator, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hansa.contracts.currency import Asset
from hansa.contracts.policy import Policy
from hansa.engine.chain import Chain
from hansa.engine.cometbft.trail import read_votes
from hansa.kernel.block import BlockRecord, Header, decode_header
from hansa.kernel.calendar import day_number
from hansa.kernel.errors import Corrupt, Invalid, InvalidCode, NotFound
from hansa.kernel.genesis import Network
from hansa.kernel.light.coverage import Coverage
from hansa.kernel.rows import decode_row
from hansa.kernel.trees.merkle import compute_root
from hansa.node.home import Home, open_chain_read_only
from hansa.node.joining.checkpoints import load_checkpoint
from hansa.node.records import find_seal_fault
from hansa.program import name_program
from hansa.reconcile.entries import Fault, Finding, Part, Severity
from hansa.reconcile.readers.ledger import Confirmed, Owner, decode_block, name_owner, read_ledger
from hansa.reconcile.readers.parts import build_batch

FORMAT = "ledger"
VERSION = 1
ZONE = "zone.offset_minutes"
_EPOCH = dt.date(1970, 1, 1)


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked of a ledger."""

    owners: tuple[Owner, ...]
    """Whose money; one at least."""
    from_day: dt.date | None = None
    """First day, in the ledger's zone; None for that of its first block."""
    to_day: dt.date | None = None
    """Last day; None for that of its newest block."""
    genesis_hash: bytes | None = None
    """Of the network that is meant, if that is told."""
    checkpoint: Path | None = None
    """From which validators are followed; None for genesis."""


@dataclass(slots=True)
class LedgerFeed:
    """The movements that a question asks for, from a node's folder."""

    home: Home
    question: Question
    format: str = FORMAT
    _told: dict[str, Any] = field(default_factory=dict)

    def iterate(self) -> Generator[Part]:
        """Iterate the entries, as the chain stands now.

        Raises:
          NotFound: there is no chain, or it begins after the last day.
          Invalid: it is of another network, or blocks of these days are not kept.
          Corrupt: a block does not go with its header, or that with the one before; or nobody who
            may has signed it.
        """
        coverage = _cover(self.home, self.question)  # votes first: the chain goes on meanwhile
        with closing(open_chain_read_only(self.home)) as chain:
            period = _Period(chain, self.question)
            self._told = _tell(chain.network, period, self.question)
            parts = read_ledger(
                _iterate_checked(chain, period, coverage),
                self.question.owners,
                offset_minutes=period.offset_minutes,
                exponents=_read_exponents(chain),
            )
            moved = set()
            for part in parts:
                moved |= {statement.account for statement in part.statements}
                yield part
            findings = (
                *period.list_findings(),
                *_list_unvoted(coverage, period),
                *self._find_idle(moved),
            )
            if findings:
                yield Part(build_batch([]), (), findings)

    def describe(self) -> bytes:
        """Describe what was read, as JSON, once all of it is: the same for the same blocks."""
        return json.dumps(self._told, indent=2).encode() + b"\n"

    def _find_idle(self, moved: set[str]) -> Iterator[Finding]:
        accounts = {each.partition("/")[0] for each in moved}
        for owner in self.question.owners:
            if (name := name_owner(owner)) not in accounts:
                text = f"nothing moved on {name} in these days: is it the owner you mean?"
                yield Finding(Severity.WARNING, Fault.MISSING, 0, "account", text)


class _Period:
    """The blocks of some days, found by halving; times never fall from block to block."""

    def __init__(self, chain: Chain, question: Question) -> None:
        self._chain = chain
        network, head = chain.network, chain.head
        meant = question.genesis_hash
        if meant is not None and meant != network.genesis_hash:
            raise Invalid(
                InvalidCode.MALFORMED,
                f"this ledger is of another network: {network.genesis_hash.hex()}",
            )
        self.offset_minutes = _read_offset(chain, head.time_ms)
        self._newest_day = self._tell_day(head)
        self._to_day = question.to_day
        begins = chain.log.height_min
        from_day = None if question.from_day is None else _number(question.from_day)
        self.first = begins if from_day is None else self._find_first(from_day)
        if begins > 0 and (from_day is None or self._get_day(begins) >= from_day):
            kept = _write_day(self._get_day(begins) + 1)
            raise Invalid(
                InvalidCode.ARGUMENTS,
                f"blocks before {begins} are not kept here, so that not all of these days can be "
                f"read: say --from {kept} or later, or ask a node that keeps all blocks",
            )
        end = self._newest_day if self._to_day is None else _number(self._to_day)
        self.last = self._find_first(end + 1) - 1
        if self.last < begins:
            raise NotFound(
                f"the ledger begins on {_write_day(self._get_day(begins))}, after the last day"
            )
        self.head = chain.get_header(self.last)

    def list_findings(self) -> Iterator[Finding]:
        """List what is wrong with the days."""
        if self._to_day is not None and self._newest_day <= _number(self._to_day):
            text = (
                f"the newest block, {self._chain.head.height}, is of {_write_day(self._newest_day)}"
                f": what moves until the end of {self._to_day} is not there yet"
            )
            yield Finding(Severity.WARNING, Fault.GAP, self.last, "", text)

    def _find_first(self, day: int) -> int:
        """Find the first block of this day or a later one; beyond the newest if there is none."""
        low, high = self._chain.log.height_min, self._chain.head.height + 1
        while low < high:
            middle = (low + high) // 2
            if self._get_day(middle) < day:
                low = middle + 1
            else:
                high = middle
        return low

    def _get_day(self, height: int) -> int:
        return self._tell_day(self._chain.get_header(height))

    def _tell_day(self, header: Header) -> int:
        return day_number(header.time_ms, self.offset_minutes)


def _cover(home: Home, question: Question) -> Coverage:
    """Prepare to find what validators' votes cover; where a node seals, nothing."""
    network = home.load_network()
    path = question.checkpoint
    start = None if path is None else load_checkpoint(path, network)
    votes = read_votes(home.comet.path) if network.genesis.is_voted else None
    return Coverage(network, votes, start)


def _iterate_checked(chain: Chain, period: _Period, coverage: Coverage) -> Iterator[Confirmed]:
    """Iterate the blocks of a period, each held against its header, and the last signed.

    Where validators vote, one vote covers all blocks before it: it is looked for behind the period.
    """
    network = chain.network
    begins = min(period.first, period.last)  # of no block, the one whose hash is told
    previous = None
    for record in chain.iterate_records(begins):
        header = decode_header(record.header)
        _check(network, record, header, previous)
        previous = _hash(network, header)
        coverage.look(record.header)
        if period.first <= header.height <= period.last:
            yield decode_block(record)
        if header.height == period.last and (fault := find_seal_fault(network, record)):
            raise Corrupt(f"block {header.height} {fault}", height=header.height)
        if header.height >= period.last and (coverage.trail is None or coverage.voted_height):
            break
    if coverage.trail is not None and coverage.voted_height is None:
        _look_before(chain, begins, coverage)
    if faults := coverage.list_findings():
        raise Corrupt(faults[0], height=period.last)


def _look_before(chain: Chain, height: int, coverage: Coverage) -> None:
    """Look for the block that validators signed before one: votes may be older than it."""
    for at in range(height - 1, chain.log.height_min - 1, -1):
        coverage.look(chain.get_record(at).header)
        if coverage.voted_height is not None:
            return


def _list_unvoted(coverage: Coverage, period: _Period) -> Iterator[Finding]:
    voted = coverage.voted_height
    if coverage.network.genesis.is_voted and (voted is None or voted < period.last):
        seen = "none are shown" if voted is None else f"those shown are on block {voted}"
        text = f"no votes of validators cover block {period.last}, the last one read: {seen}"
        yield Finding(Severity.WARNING, Fault.MISSING, period.last, "", text)


def _check(network: Network, record: BlockRecord, header: Header, previous: bytes | None) -> None:
    is_next = previous is None or header.previous_hash == previous
    if is_next and compute_root(record.receipts, network.digest) == header.receipt_root:
        return
    raise Corrupt(
        f"block {header.height} does not go with its header, or that with the block before: "
        f"{name_program()} verify says more",
        height=header.height,
    )


def _hash(network: Network, header: Header) -> bytes:
    return network.digest(network.header_prefix + header.encoded())


def _tell(network: Network, period: _Period, question: Question) -> dict[str, Any]:
    header = period.head
    return {
        "version": VERSION,
        "network": network.genesis.network,
        "genesis_hash": network.genesis_hash.hex(),
        "first_height": period.first,
        "height": header.height,
        "header_hash": _hash(network, header).hex(),
        "offset_minutes": period.offset_minutes,
        "owners": sorted(map(name_owner, question.owners)),
        "from": None if question.from_day is None else question.from_day.isoformat(),
        "to": None if question.to_day is None else question.to_day.isoformat(),
    }


def _read_offset(chain: Chain, time_ms: int) -> int:
    """Read the zone in force, in minutes east of UTC; 0 where policy names none."""
    raw = chain.get_row(Policy.key(ZONE))
    entries = () if raw is None else decode_row(Policy, raw).entries
    in_force = [each.values[0] for each in entries if each.effective_ms <= time_ms]
    return in_force[-1] if in_force else 0


def _read_exponents(chain: Chain) -> dict[str, int]:
    assets = [decode_row(Asset, raw) for _, raw in chain.iterate_rows(Asset.TABLE)]
    return {asset.asset: asset.exponent for asset in assets}


def _number(day: dt.date) -> int:
    return (day - _EPOCH).days


def _write_day(number: int) -> str:
    return (_EPOCH + dt.timedelta(number)).isoformat()
