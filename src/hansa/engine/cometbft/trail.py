"""Keeps what receipts of this network need beside CometBFT: each hand-over since genesis.

CometBFT drops old blocks where it is told to, and answers only while it runs. So hand-overs are
looked for as heights pass, verified, and appended to a file. Another file, small and written anew,
has a recent signed header and the few of them that lead to it: from it a folder can be audited
while the node rests, and all others can begin again. Either may be lost.

Source: docs/reference/light.md.
"""

from __future__ import annotations

import asyncio
import time
from bisect import bisect_right
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Lock
from typing import Final

from hansa.engine.cometbft.rpc.answers import Rpc
from hansa.engine.cometbft.rpc.light import (
    HEADERS_PER_ANSWER,
    fetch_base,
    fetch_headers,
    fetch_signed_header,
    fetch_validators,
)
from hansa.engine.storage import FileStorage
from hansa.kernel.encoding import encode
from hansa.kernel.errors import Corrupt, Invalid, NotFound, Unavailable
from hansa.kernel.light.commit import SignedHeader, drop_unverified
from hansa.kernel.light.route import Routes
from hansa.kernel.light.trail import (
    Checkpoint,
    HandOver,
    decode_hand_over,
    follow,
    verify_header,
)
from hansa.kernel.light.votes import VOTES_BYTES_MAX, Votes, decode_votes

FILE_NAME: Final = "votes.bin"
HAND_OVERS_NAME: Final = "hand-overs.bin"
"""Each behind its length, 4 bytes with the highest first."""
_LENGTH_BYTES: Final = 4
SAVE_S: Final = 10
"""Between two times that the recent header is written; a hand-over does not wait for it."""
WAIT_S: Final = 5
"""For a header that validators are about to sign: one follows each block of Hansa."""
POLL_MS: Final = 50
PAUSE_S: Final = 1
"""Between two looks at the heights that have passed."""


ASK_S: Final = 30
"""Between two times that other nodes are asked."""
ASKING_S: Final = 2
"""For which what they answer is waited for."""
CLOSE_S: Final = 2
"""What the last look may take, when the node stops."""


Ask = Callable[[int], Awaitable[Votes]]
"""Asks for votes at this height or above; raises `Unavailable` where nobody has any."""


class TrailKeeper:
    """Follows the validators of a network from genesis on, and remembers how.

    Args:
      folder: CometBFT's, where the file lies.
      start: the genesis of the network (`kernel.light.votes.begin`).
      rpc: CometBFT beside this node; nothing that it says is believed.
      clock_s: seconds that only go forward.
      save_s: between two times that the recent header is written.
      ask: asks other nodes for votes that are recent enough; used where CometBFT beside this node
        has dropped heights, or never had them, in which validators changed.
    """

    def __init__(
        self,
        folder: Path,
        start: Checkpoint,
        rpc: Rpc,
        *,
        clock_s: Callable[[], float] = time.monotonic,
        save_s: float = SAVE_S,
        ask: Ask | None = None,
    ) -> None:
        """Open the file, if there is one.

        Raises:
          Corrupt: it is damaged, or of another network.
        """
        self._storage = FileStorage(folder)
        self._rpc = rpc
        self._clock_s = clock_s
        self._save_s = save_s
        self._ask = ask
        self._ask_again_s = clock_s()
        self._asking: asyncio.Future[Votes] | None = None
        self._in_vain = ""
        self._stages = [start]
        """Who is in force, and from which height on."""
        self._hand_overs: list[HandOver] = []
        self._routes = Routes(start.validators)
        self._kept = _Kept(self._storage)
        self._newest: SignedHeader | None = None
        self._looked_at = start.height - 1
        """The height up to which all hand-overs are known."""
        self._saving = Lock()
        self._saved_s = clock_s()
        self._saved: SignedHeader | None = None
        self._is_base_known = False
        self._advancing = asyncio.Lock()
        self._noted_height = 0
        self._noted = asyncio.Event()
        self._open(read_votes(folder), folder / FILE_NAME)

    def _open(self, votes: Votes | None, path: Path) -> None:
        """Take what was kept: all hand-overs that follow from one another, and the newest header.

        Each was verified before it was written; it is again, once, as only that tells a file of
        another network, or one that is torn.
        """
        try:
            for hand_over in self._kept.read():
                self._extend(hand_over)
        except Invalid:
            pass  # it ends here: what follows is found again, and written over
        if votes is not None:
            self._newest = self._saved = newest = votes.signed_header
            self._looked_at = newest.header.height - 1
            try:
                verify_header(self._stages[self._find_stage(newest.header.height)], (), newest)
            except Invalid:
                with self._believing(f"{path}: remove it, it is made anew"):
                    self._take_over(votes)
        for each in self._hand_overs[-1:]:
            self._looked_at = max(self._looked_at, each.signed_header.header.height)

    def note(self, height: int) -> None:
        """Note that CometBFT's block of this height is committed; `run` looks at it."""
        self._noted_height = max(self._noted_height, height)
        self._noted.set()

    async def run(self) -> None:
        """Follow the heights that are noted, until cancelled.

        Raises:
          Corrupt: CometBFT beside this node follows another chain.
        """
        while True:
            is_idle = await self._wait_for_note()
            try:
                await self.advance(self._noted_height)
                if is_idle or self._is_due():
                    await asyncio.to_thread(self.save)
            except Unavailable:
                self._noted.set()  # it starts, or stops, or the disk is full: again in a moment
            await asyncio.sleep(PAUSE_S)

    async def _wait_for_note(self) -> bool:
        """Wait for a note; says if none came, though something is known that was not kept yet."""
        try:
            async with asyncio.timeout(None if self._newest is self._saved else self._save_s):
                await self._noted.wait()
        except TimeoutError:
            return True
        self._noted.clear()
        return False

    async def close(self) -> None:
        """Keep the newest height that was noted, if CometBFT still answers and the disk takes it.

        So the folder of a node that was stopped in good order can be audited to its last block, or
        to the one before, if its header was not signed yet.
        """
        with suppress(Unavailable, Corrupt, TimeoutError):
            async with asyncio.timeout(CLOSE_S):
                await self.advance(self._noted_height)
        if self._asking is not None:
            self._asking.cancel()
            await asyncio.gather(self._asking, return_exceptions=True)
        with suppress(Unavailable):
            self.save()

    async def advance(self, height: int) -> None:
        """Look for hand-overs below a height, whose header is signed, and remember that one.

        Raises:
          Unavailable: CometBFT does not answer, or lacks one of the headers.
          Corrupt: CometBFT beside this node follows another chain.
        """
        async with self._advancing:
            if self._newest is not None and self._newest.header.height >= height:
                return
            if not self._is_base_known:
                await self._go_to_base(height)
            while self._looked_at < height - 1:
                await self._look(min(self._looked_at + HEADERS_PER_ANSWER, height - 1))
            if self._newest is None or self._newest.header.height < height:
                self._newest = await self._fetch_verified(height)

    async def fetch_votes(self, height: int, app_hash: bytes | None = None) -> Votes:
        """Fetch the signed header of a height, with all hand-overs to it; waits a little for it.

        Args:
          height: CometBFT's.
          app_hash: what the header must name, if that matters.

        Raises:
          Unavailable: CometBFT does not answer, or has no such header (yet, or any more).
          Corrupt: CometBFT beside this node follows another chain.
        """
        give_up_s = self._clock_s() + WAIT_S
        while True:
            try:
                await self.advance(height)
                break
            except Unavailable:
                if self._clock_s() >= give_up_s:
                    raise
            await asyncio.sleep(POLL_MS / 1_000)
        newest = self._newest
        is_newest = newest is not None and newest.header.height == height
        signed = newest if newest and is_newest else await self._fetch_verified(height)
        if app_hash not in (None, signed.header.app_hash):
            raise Unavailable(
                f"CometBFT's header at height {height} names another block: where this one stands "
                "was taken over with a snapshot, and is wrong; ask another node",
                height=height,
            )
        votes = self._build_votes(signed)
        size = len(encode(votes))
        if size > VOTES_BYTES_MAX:
            raise Unavailable(
                f"validators changed so much since genesis that votes have {size} bytes, and a "
                f"receipt holds {VOTES_BYTES_MAX}: ask for what an older block proves"
            )
        return votes

    def adopt(self, votes: Votes) -> None:
        """Take over what another node kept, such as one that has older blocks; durable then.

        Raises:
          Invalid: it was not signed by the validators who follow from genesis.
          Unavailable: the disk refuses.
        """
        height = votes.signed_header.header.height
        if height <= self._looked_at + 1:
            verify_header(self._stages[0], votes.hand_overs, votes.signed_header)
            return
        self._take_over(votes)
        self._newest, self._looked_at = votes.signed_header, height - 1
        self.save()

    def _take_over(self, votes: Votes) -> None:
        """Go on with these hand-overs behind those that are known, or else from genesis.

        Raises:
          Invalid: they do not lead from there to the header that is with them.
        """
        newest, signed = self._stages[-1], votes.signed_header
        try:
            verify_header(newest, votes.hand_overs, signed)
            later = [
                each
                for each in votes.hand_overs
                if each.signed_header.header.height >= newest.height
            ]
        except Invalid:
            start, later = self._stages[0], list(votes.hand_overs)
            verify_header(start, later, signed)
            self._stages, self._hand_overs = [start], []
            self._routes = Routes(start.validators)
            with self._saving:
                self._kept.forget()
        for each in later:
            self._extend(each)

    def save(self) -> None:
        """Write what is known, durably; raises `Unavailable`."""
        with self._saving:
            newest = self._newest  # others may go on meanwhile
            if newest is None:
                return
            self._kept.append(self._hand_overs)
            if newest is self._saved:
                return
            self._storage.replace(FILE_NAME, encode(self._build_votes(newest)))
            self._saved, self._saved_s = newest, self._clock_s()

    def _build_votes(self, signed: SignedHeader) -> Votes:
        """Build the shortest way to a header, through the hand-overs to the set that signed it."""
        passed = self._find_stage(signed.header.height)
        route = self._routes.find(self._hand_overs, passed)
        return Votes(route.lead_to(signed), signed)

    def _is_due(self) -> bool:
        """Whether something was found that must not be lost, or enough time has passed."""
        if self._newest is self._saved:
            return False
        is_new = self._saved is None or len(self._hand_overs) > self._kept.count
        return is_new or self._clock_s() - self._saved_s >= self._save_s

    async def _go_to_base(self, height: int) -> None:
        """Pass over heights that CometBFT has dropped, if validators are the same behind them."""
        base = min(await fetch_base(self._rpc), height)
        if base > self._looked_at + 1:
            signed = await fetch_signed_header(self._rpc, base)
            if signed.header.validators_hash != self._stages[-1].validators.compute_hash():
                await self._ask_others(base)
            self._looked_at = max(self._looked_at, base - 1)
        self._is_base_known = True

    async def _ask_others(self, base: int) -> None:
        """Have others close the gap up to the first height of which there are headers here.

        They may take long, and everybody else waits for this meanwhile: so whoever begins to ask
        waits a little, and what they answer later is taken by whoever comes next.
        """
        if self._asking is None and self._ask is not None and self._clock_s() >= self._ask_again_s:
            self._asking = asyncio.ensure_future(self._ask(base))
            await asyncio.wait((self._asking,), timeout=ASKING_S)
        if self._asking is not None and self._asking.done():
            asked, self._asking = self._asking, None
            self._ask_again_s = self._clock_s() + ASK_S
            try:
                self.adopt(asked.result())
            except (Invalid, Unavailable) as error:
                self._in_vain = f". Others were asked: {error.message}"
        if self._looked_at < base - 1:
            raise Unavailable(
                f"validators changed between CometBFT's heights {self._looked_at + 1} and {base}, "
                "and this node has no headers from then: it needs the hand-overs of a node that "
                f"has kept them{self._in_vain}",
                height=base,
            )

    async def _look(self, last: int) -> None:
        """Look at the next headers, up to that of height `last`."""
        first = self._looked_at + 1
        headers = await fetch_headers(self._rpc, first, last)
        if [header.height for header in headers] != list(range(first, last + 1)):
            raise Unavailable(f"CometBFT here lacks headers of the heights {first} to {last}")
        for header in headers:
            if header.next_validators_hash != header.validators_hash:
                await self._take_hand_over(header.height)
            self._looked_at = header.height

    async def _take_hand_over(self, height: int) -> None:
        signed = await self._fetch_verified(height)
        hand_over = HandOver(signed, await fetch_validators(self._rpc, height + 1))
        with self._believing("CometBFT beside this node"):
            self._extend(hand_over)

    async def _fetch_verified(self, height: int) -> SignedHeader:
        signed = await fetch_signed_header(self._rpc, height)
        at = self._find_stage(height)
        stage = self._stages[at]
        with self._believing("CometBFT beside this node"):
            try:
                verify_header(stage, (), signed)
            except Invalid:
                if any(each.is_leap for each in self._hand_overs[at : at + 1]):
                    raise Unavailable(
                        f"this node does not know the validators of CometBFT's height {height}: "
                        "it joined later, and was shown no more than leads to its first block; "
                        "ask another node",
                        height=height,
                    ) from None
                signed = drop_unverified(signed, stage.validators)
                verify_header(stage, (), signed)
        return signed

    def _find_stage(self, height: int) -> int:
        """Find the place in `_stages` of who is in force at a height, as far as is known."""
        return max(bisect_right([stage.height for stage in self._stages], height) - 1, 0)

    def _extend(self, hand_over: HandOver) -> None:
        """Take the next hand-over; raises `Invalid` if it does not follow."""
        self._stages.append(follow(self._stages[-1], [hand_over]))
        self._hand_overs.append(hand_over)
        self._routes.extend(hand_over)

    @contextmanager
    def _believing(self, what: str) -> Iterator[None]:
        """Tell of what should have been verified when it was written, and now is not."""
        try:
            yield
        except Invalid as error:
            raise Corrupt(
                f"{what} does not follow from this network's genesis: {error.message}"
            ) from None


class _Kept:
    """The file to which hand-overs are appended; it has no bound, as each was signed by 2/3.

    Args:
      storage: of the folder.
    """

    def __init__(self, storage: FileStorage) -> None:
        self._storage = storage
        self.count = 0
        """How many of those in the file are known to be good; the next is written behind them."""
        self._end = 0
        """Where they end."""

    def read(self) -> Iterator[HandOver]:
        """Read one after another, to where no whole one follows; verified by nobody.

        Whoever asks for the next has found the one before good.

        Raises:
          Invalid: the next is none.
        """
        try:
            file = self._storage.open(HAND_OVERS_NAME, writable=False)
        except NotFound:
            return
        try:
            at, size = 0, file.size()
            while at < size:
                length = int.from_bytes(file.pread(_LENGTH_BYTES, at))
                at += _LENGTH_BYTES + length
                yield decode_hand_over(file.pread(length, at - length) if at <= size else b"")
                self.count, self._end = self.count + 1, at
        finally:
            file.close()

    def append(self, hand_overs: Sequence[HandOver]) -> None:
        """Write those that are not in the file yet, durably; raises `Unavailable`."""
        new = hand_overs[self.count :]
        if not new:
            return
        end = self._end
        file = self._storage.open(HAND_OVERS_NAME, writable=True, create=True)
        try:
            file.truncate(end)
            for each in new:
                raw = encode(each)
                file.append(len(raw).to_bytes(_LENGTH_BYTES), raw)
                end += _LENGTH_BYTES + len(raw)
            file.sync()
        finally:
            file.close()
        self._storage.sync()
        self.count, self._end = self.count + len(new), end

    def forget(self) -> None:
        """Take none of those in the file for good: all are written anew."""
        self.count = self._end = 0


def read_votes(folder: Path) -> Votes | None:
    """Read what a node kept in CometBFT's folder, verified by nobody; None if there is nothing.

    Raises:
      Corrupt: it cannot be read.
    """
    path = folder / FILE_NAME
    try:
        file = FileStorage(folder, read_only=True).open(FILE_NAME, writable=False)
    except NotFound:
        return None
    try:
        return decode_votes(file.pread(file.size(), 0), bytes_max=None)
    except Invalid as error:
        raise Corrupt(
            f"{path} is damaged: {error.message}. Remove it: the node makes it anew",
            path=str(path),
        ) from None
    finally:
        file.close()
