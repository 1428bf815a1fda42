"""Keeps what receipts of this network need beside CometBFT: each hand-over since genesis.

CometBFT drops old blocks where it is told to, and answers only while it runs. So hand-overs are
looked for as heights pass, verified, and kept in one small file, with a recent signed header: from
it a folder can be audited while the node rests.

Source: docs/reference/light.md.
"""

from __future__ import annotations

import asyncio
import time
from bisect import bisect_right
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from hansa.engine.cometbft.light import (
    HEADERS_PER_ANSWER,
    Rpc,
    fetch_base,
    fetch_headers,
    fetch_signed_header,
    fetch_validators,
)
from hansa.engine.storage import FileStorage
from hansa.kernel.encoding import encode
from hansa.kernel.errors import Corrupt, Invalid, NotFound, Unavailable
from hansa.kernel.light.commit import SignedHeader, drop_unverified
from hansa.kernel.light.trail import Checkpoint, HandOver, follow, verify_header
from hansa.kernel.light.votes import VOTES_BYTES_MAX, Votes, decode_votes

FILE_NAME: Final = "votes.bin"
SAVE_S: Final = 10
"""Between two times that the recent header is written; a hand-over does not wait for it."""
WAIT_S: Final = 5
"""For a header that validators are about to sign: one follows each block of Hansa."""
POLL_MS: Final = 50
PAUSE_S: Final = 1
"""Between two looks at the heights that have passed."""


ASK_S: Final = 30
"""Between two times that other nodes are asked."""
CLOSE_S: Final = 2
"""What the last look may take, when the node stops."""


Ask = Callable[[], Awaitable[Votes]]
"""Raises `Unavailable` where nobody has any."""


class TrailKeeper:
    """Follows the validators of a network from genesis on, and remembers how.

    Args:
      folder: CometBFT's, where the file lies.
      start: the genesis of the network (`kernel.light.votes.begin`).
      rpc: CometBFT beside this node; nothing that it says is believed.
      clock_s: seconds that only go forward.
      save_s: between two times that the recent header is written.
      ask: asks other nodes for votes on a recent block; used where CometBFT beside this node has
        dropped heights, or never had them, in which validators changed.
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
        self._asked_in_vain = ""
        self._stages = [start]
        """Who is in force, and from which height on."""
        self._hand_overs: list[HandOver] = []
        self._newest: SignedHeader | None = None
        self._looked_at = start.height - 1
        """The height up to which all hand-overs are known."""
        self._saved_s = clock_s()
        self._saved: SignedHeader | None = None
        self._saved_hand_overs = 0
        self._is_base_known = False
        self._advancing = asyncio.Lock()
        self._noted_height = 0
        self._noted = asyncio.Event()
        votes = read_votes(folder)
        if votes is not None:
            with self._believing(f"{folder / FILE_NAME}: remove it, it is made anew"):
                verify_header(start, votes.hand_overs, votes.signed_header)
            self._extend(votes.hand_overs)
            self._newest = self._saved = votes.signed_header
            self._looked_at = votes.signed_header.header.height - 1
            self._saved_hand_overs = len(self._hand_overs)

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
        heights = [each.signed_header.header.height for each in self._hand_overs]
        return Votes(tuple(self._hand_overs[: bisect_right(heights, height - 1)]), signed)

    def adopt(self, votes: Votes) -> None:
        """Take over what another node kept, such as one that has older blocks; durable then.

        Raises:
          Invalid: it was not signed by the validators who follow from genesis.
          Unavailable: the disk refuses.
        """
        start, height = self._stages[0], votes.signed_header.header.height
        verify_header(start, votes.hand_overs, votes.signed_header)
        if height <= self._looked_at + 1:
            return
        self._stages, self._hand_overs = [start], []
        self._extend(votes.hand_overs)
        self._newest, self._looked_at = votes.signed_header, height - 1
        self.save()

    def save(self) -> None:
        """Write what is known, durably; raises `Unavailable`."""
        newest = self._newest  # others may go on meanwhile
        if newest is None or newest is self._saved:
            return
        height = newest.header.height
        known = [each for each in self._hand_overs if each.signed_header.header.height < height]
        self._storage.replace(FILE_NAME, encode(Votes(tuple(known), newest)))
        self._saved, self._saved_s = newest, self._clock_s()
        self._saved_hand_overs = len(known)

    def _is_due(self) -> bool:
        """Whether something was found that must not be lost, or enough time has passed."""
        if self._newest is self._saved:
            return False
        is_new = self._saved is None or len(self._hand_overs) > self._saved_hand_overs
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
        """Have others close the gap up to the first height of which there are headers here."""
        if self._ask is not None and self._clock_s() >= self._ask_again_s:
            self._ask_again_s = self._clock_s() + ASK_S
            try:
                self.adopt(await self._ask())
            except (Invalid, Unavailable) as error:
                self._asked_in_vain = f". Others were asked: {error.message}"
        if self._looked_at < base - 1:
            raise Unavailable(
                f"validators changed between CometBFT's heights {self._looked_at + 1} and {base}, "
                "and this node has no headers from then: it needs the hand-overs of a node that "
                f"has kept them{self._asked_in_vain}",
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
            stage = follow(self._stages[-1], [hand_over])
        self._hand_overs.append(hand_over)
        self._stages.append(stage)

    async def _fetch_verified(self, height: int) -> SignedHeader:
        signed = await fetch_signed_header(self._rpc, height)
        at = bisect_right([stage.height for stage in self._stages], height) - 1
        stage = self._stages[max(at, 0)]
        with self._believing("CometBFT beside this node"):
            try:
                verify_header(stage, (), signed)
            except Invalid:
                signed = drop_unverified(signed, stage.validators)
                verify_header(stage, (), signed)
        return signed

    def _extend(self, hand_overs: tuple[HandOver, ...]) -> None:
        for hand_over in hand_overs:
            self._stages.append(follow(self._stages[-1], [hand_over]))
            self._hand_overs.append(hand_over)

    @contextmanager
    def _believing(self, what: str) -> Iterator[None]:
        """Tell of what should have been verified when it was written, and now is not."""
        try:
            yield
        except Invalid as error:
            raise Corrupt(
                f"{what} does not follow from this network's genesis: {error.message}"
            ) from None


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
        raw = file.pread(min(file.size(), VOTES_BYTES_MAX + 1), 0)
        return decode_votes(raw)
    except Invalid as error:
        raise Corrupt(
            f"{path} is damaged: {error.message}. Remove it: the node makes it anew",
            path=str(path),
        ) from None
    finally:
        file.close()
