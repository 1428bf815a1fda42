"""The pairs that one's own node reconciles, for its member's operators.

pair = await client.pairs.share_terms(raw)
await client.pairs.add(agreement, [write_entry(each) for each in entries])
await client.pairs.complete(agreement, 1)
for each in (await client.pairs.list_breaks(agreement)).breaks:
    ...
"""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Iterable
from typing import Literal, TypeVar
from urllib.parse import quote, urlencode

import msgspec

from hansa.kernel.encoding import encode
from hansa.kernel.errors import Unavailable
from hansa.sdk.answers import Answer, read
from hansa.sdk.messages import Repeat, Run
from hansa.sdk.reconciliation.pair_answers import (
    AddedEntries,
    Breaks,
    CaseDetails,
    Matches,
    Pair,
    PairCases,
    PairDetails,
    PairPosition,
    PairPositions,
    Pairs,
    PairWindow,
    ProposalKind,
    SharedProposal,
)
from hansa.sdk.transport import Transport

A = TypeVar("A", bound=Answer)

ROOT = "/v1/pairs"
PAGE = 50
SALT_BYTES = 32
ANSWER_BYTES_MAX = 1 << 24


class AsyncPairs:
    """The pairs of the member whose node it is; needs an API key of that member.

    Every method raises `Invalid` where the node does not know who asks, `Refused` where the key is
    of another institution or the node does not reconcile, and `Unavailable` where the node cannot
    be reached.

    Args:
      transport: of the client.
      check_network: refuses a node of another network.
      repeat: calls again while the node is unavailable.
    """

    def __init__(
        self,
        transport: Transport,
        check_network: Callable[[], Awaitable[None]],
        repeat: Repeat,
    ) -> None:
        self._transport = transport
        self._check_network = check_network
        self._repeat = repeat

    async def list(self) -> list[Pair]:
        """List the member's agreements, by their ids."""
        return (await self._get(Pairs, ROOT)).pairs

    async def share_terms(self, raw: bytes) -> PairDetails:
        """Have the node keep terms, and send them to the other bank; the same again counts once.

        An officer then proposes them on the ledger, by what is answered.

        Args:
          raw: as `hansa.reconcile.stream.terms.write_terms` writes them.

        Raises:
          Invalid: they are unsound, or the member is no party.
          Refused: the other bank is no member, or takes no messages.
        """
        return await self._repeat(lambda: self._post_bytes(PairDetails, ROOT, raw))

    async def get(self, agreement: bytes, windows: int = 0) -> PairDetails:
        """Get an agreement with its terms and newest windows; raises `NotFound`."""
        return await self._get(PairDetails, _build(agreement, windows=windows))

    async def add(
        self,
        agreement: bytes,
        entries: Iterable[bytes],
        origin: bytes | None = None,
        start: int = 0,
    ) -> AddedEntries:
        """Add entries of the member, all or none; those of an origin once, however often.

        Two entries that say the same may be two movements, so without an origin it is asked once:
        where there is no answer, whether they were taken is not known.

        Args:
          agreement: whose they are.
          entries: each as `hansa.reconcile.stream.entries.write_entry` writes it; at most 2,000.
          origin: of what they are read from in a fixed order: the SHA-256 of a file.
          start: how many stand in it before the first of these.

        Raises:
          NotFound: the member has no such agreement.
          Refused: the agreement is not in force.
          Invalid: one is malformed, they are too many at once, or some of their origin are missing
            before them.
        """
        raw = encode([msgspec.Raw(each) for each in entries])
        if origin is None:
            return await self._post_bytes(AddedEntries, _build(agreement, "entries"), raw)
        path = _build(agreement, "entries", origin=origin.hex(), start=start)
        return await self._repeat(lambda: self._post_bytes(AddedEntries, path, raw))

    async def complete(self, agreement: bytes, window: int) -> PairDetails:
        """Say that all entries of the windows below a number are added; raises `NotFound`."""
        body = {"window": window}
        path = f"{_build(agreement)}/complete"
        return await self._repeat(lambda: self._post(PairDetails, path, body))

    async def get_window(self, agreement: bytes, window: int) -> PairWindow:
        """Get one window; raises `NotFound`."""
        return await self._get(PairWindow, _build(agreement, "windows", window))

    async def list_matches(
        self, agreement: bytes, window: int, after: int = 0, limit: int = PAGE
    ) -> Matches:
        """List the matches of a window that were shown to the other bank; raises `NotFound`.

        What both posted under the same tags matched by that alone, and is only counted.
        """
        path = _build(agreement, "windows", window, "matches", after=after, limit=limit)
        return await self._get(Matches, path)

    async def list_breaks(  # noqa: PLR0913 - filters, each by its name
        self,
        agreement: bytes,
        *,
        kind: str | None = None,
        currency: str | None = None,
        age_days: int | None = None,
        case: Literal["with", "without"] | None = None,
        after: int = 0,
        limit: int = PAGE,
    ) -> Breaks:
        """List what is open; raises `NotFound`.

        Args:
          agreement: whose breaks.
          kind: their class.
          currency: of at least one of a break's entries.
          age_days: how old they are at least, in business days.
          case: those with, or without a case.
          after: `next` of the page before.
          limit: how many at most, up to 100.
        """
        path = _build(
            agreement,
            "breaks",
            kind=kind,
            currency=currency,
            age_days=age_days,
            case=case,
            after=after,
            limit=limit,
        )
        return await self._get(Breaks, path)

    async def list_cases(
        self, agreement: bytes, *, state: str | None = None, after: int = 0, limit: int = PAGE
    ) -> PairCases:
        """List the cases of an agreement, the newest first; raises `NotFound`."""
        path = _build(agreement, "cases", state=state, after=after, limit=limit)
        return await self._get(PairCases, path)

    async def get_case(self, agreement: bytes, case_id: bytes) -> CaseDetails:
        """Get a case with both sides of its break, and what was proposed; raises `NotFound`.

        Also of a break for which no case is opened yet.
        """
        return await self._get(CaseDetails, _build(agreement, "cases", case_id.hex()))

    async def share_proposal(
        self,
        agreement: bytes,
        case_id: bytes,
        kind: ProposalKind,
        words: str,
        amount_minor: int = 0,
        *,
        salt: bytes | None = None,
    ) -> SharedProposal:
        """Have the node keep a proposal, and send it to the other bank.

        Officers then propose its `terms` on the ledger.

        Args:
          agreement: whose case.
          case_id: of the case, which may be opened later.
          kind: how it is to be resolved.
          words: what is to be done, by whom and until when; at most 2,000 characters.
          amount_minor: what it is about, as the left bank's books have it; 0 where it is no amount.
          salt: 32 bytes, to be given where this may be called again; else random ones.

        Raises:
          NotFound: there is neither a case nor a break of that id.
          Invalid: words or amount are out of bounds.
        """
        body = {
            "kind": kind,
            "words": words,
            "amount_minor": str(amount_minor),
            "salt": (salt or os.urandom(SALT_BYTES)).hex(),
        }
        path = _build(agreement, "cases", case_id.hex(), "proposals")
        return await self._repeat(lambda: self._post(SharedProposal, path, body))

    async def list_positions(
        self, agreement: bytes, after: int = 0, limit: int = PAGE
    ) -> PairPositions:
        """List net positions by window, the newest first; raises `NotFound`."""
        path = _build(agreement, "positions", after=after, limit=limit)
        return await self._get(PairPositions, path)

    async def get_position(self, agreement: bytes, window: int, asset: str) -> PairPosition:
        """Get a net position, with what settles it; raises `NotFound`."""
        return await self._get(PairPosition, _build(agreement, "positions", window, asset))

    async def _get(self, kind: type[A], path: str) -> A:
        await self._check_network()
        return read(kind, await self._transport.get_json(path), self._transport.url)

    async def _post(self, kind: type[A], path: str, body: object) -> A:
        await self._check_network()
        _, found = await self._transport.post(path, body)
        return read(kind, found, self._transport.url)

    async def _post_bytes(self, kind: type[A], path: str, body: bytes) -> A:
        """Post MessagePack; JSON is answered."""
        await self._check_network()
        _, raw = await self._transport.post_bytes(path, body, ANSWER_BYTES_MAX)
        try:
            found = msgspec.json.decode(raw)
        except msgspec.DecodeError:
            raise Unavailable(f"{self._transport.url}{path} does not answer in JSON") from None
        return read(kind, found, self._transport.url)


class PairsClient:
    """The same for plain code; `client.pairs` of a `Client`."""

    def __init__(self, pairs: AsyncPairs, run: Run) -> None:
        self._pairs = pairs
        self._run = run

    def list(self) -> list[Pair]:
        """As `AsyncPairs.list`."""
        return self._run(self._pairs.list())

    def share_terms(self, raw: bytes) -> PairDetails:
        """As `AsyncPairs.share_terms`."""
        return self._run(self._pairs.share_terms(raw))

    def get(self, agreement: bytes, windows: int = 0) -> PairDetails:
        """As `AsyncPairs.get`."""
        return self._run(self._pairs.get(agreement, windows))

    def add(
        self,
        agreement: bytes,
        entries: Iterable[bytes],
        origin: bytes | None = None,
        start: int = 0,
    ) -> AddedEntries:
        """As `AsyncPairs.add`."""
        return self._run(self._pairs.add(agreement, entries, origin, start))

    def complete(self, agreement: bytes, window: int) -> PairDetails:
        """As `AsyncPairs.complete`."""
        return self._run(self._pairs.complete(agreement, window))

    def get_window(self, agreement: bytes, window: int) -> PairWindow:
        """As `AsyncPairs.get_window`."""
        return self._run(self._pairs.get_window(agreement, window))

    def list_matches(
        self, agreement: bytes, window: int, after: int = 0, limit: int = PAGE
    ) -> Matches:
        """As `AsyncPairs.list_matches`."""
        return self._run(self._pairs.list_matches(agreement, window, after, limit))

    def list_breaks(  # noqa: PLR0913 - as there
        self,
        agreement: bytes,
        *,
        kind: str | None = None,
        currency: str | None = None,
        age_days: int | None = None,
        case: Literal["with", "without"] | None = None,
        after: int = 0,
        limit: int = PAGE,
    ) -> Breaks:
        """As `AsyncPairs.list_breaks`."""
        call = self._pairs.list_breaks(
            agreement,
            kind=kind,
            currency=currency,
            age_days=age_days,
            case=case,
            after=after,
            limit=limit,
        )
        return self._run(call)

    def list_cases(
        self, agreement: bytes, *, state: str | None = None, after: int = 0, limit: int = PAGE
    ) -> PairCases:
        """As `AsyncPairs.list_cases`."""
        return self._run(self._pairs.list_cases(agreement, state=state, after=after, limit=limit))

    def get_case(self, agreement: bytes, case_id: bytes) -> CaseDetails:
        """As `AsyncPairs.get_case`."""
        return self._run(self._pairs.get_case(agreement, case_id))

    def share_proposal(
        self,
        agreement: bytes,
        case_id: bytes,
        kind: ProposalKind,
        words: str,
        amount_minor: int = 0,
        *,
        salt: bytes | None = None,
    ) -> SharedProposal:
        """As `AsyncPairs.share_proposal`."""
        call = self._pairs.share_proposal(agreement, case_id, kind, words, amount_minor, salt=salt)
        return self._run(call)

    def list_positions(self, agreement: bytes, after: int = 0, limit: int = PAGE) -> PairPositions:
        """As `AsyncPairs.list_positions`."""
        return self._run(self._pairs.list_positions(agreement, after, limit))

    def get_position(self, agreement: bytes, window: int, asset: str) -> PairPosition:
        """As `AsyncPairs.get_position`."""
        return self._run(self._pairs.get_position(agreement, window, asset))


def _build(agreement: bytes, *names: str | int, **query: str | int | None) -> str:
    """Build a path under an agreement; what is asked for as None is left out."""
    path = "/".join([ROOT, agreement.hex(), *(quote(str(each), safe="") for each in names)])
    given = {name: value for name, value in query.items() if value is not None}
    return f"{path}?{urlencode(given)}" if given else path
