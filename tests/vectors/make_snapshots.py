"""Vectors of snapshots: some as nodes make them, and each way in which one can lie."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec
from tests.vectors.parts import MINUTE_MS, NETWORKS, START_MS, Forge
from tests.vectors.tally import Rules
from tests.vectors.voting import make_voted

from hansa.engine.chain import Chain, NobodySeals
from hansa.engine.log import BlockLog
from hansa.engine.snapshots.format import (
    Frame,
    FrameReader,
    compute_sum,
    cut,
    encode_frame,
)
from hansa.engine.snapshots.making import make_snapshot
from hansa.engine.snapshots.shelf import Shelf
from hansa.engine.storage import FileStorage
from hansa.engine.store import MemoryStore
from hansa.kernel.block import BlockRecord, Drop, decode_header, decode_record
from hansa.kernel.crypto.signatures import verify_many
from hansa.kernel.genesis import Network
from hansa.kernel.transaction import build_checked, check_batch
from hansa.node.home import KeySealer

replace = msgspec.structs.replace
Frames = list[Frame]
CONSENSUS_STEP = 7
"""Of CometBFT's heights, where validators vote: between two blocks most are empty."""


class Taken:
    """A snapshot of a network, apart: what stands in its manifest, and its frames."""

    def __init__(self, network: Network) -> None:
        self.network = network
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            chain = _play(network, folder)
            shelf = Shelf(FileStorage(folder / "snapshots"))
            height = chain.head.height
            self.manifest = make_snapshot(shelf, chain.log, height, chain.iterate_rows(b""))
            self.chunks = list(shelf.iterate_chunks(self.manifest))
            self.earlier = chain.get_record(height - 1)
            chain.close()
        reader = FrameReader()
        self.frames = [frame for chunk in self.chunks for frame in reader.feed(chunk)]
        self.cases: list[dict[str, object]] = []

    @property
    def trusted(self) -> bytes | None:
        """The hash of the last header, where nobody seals."""
        prefix = self.network.header_prefix
        is_voted = self.network.genesis.is_voted
        return self.network.digest(prefix + self.manifest.header) if is_voted else None

    def take(
        self,
        name: str,
        frames: Sequence[Frame] | None = None,
        *,
        chunks: Sequence[bytes] | None = None,
        post: dict[str, object] | None = None,
        **changes: object,
    ) -> None:
        """Add a case: another manifest, or other frames, under sums that are right."""
        if frames is not None:
            chunks = list(cut(frames))
        elif chunks is None:
            chunks = self.chunks
        sums = tuple(map(compute_sum, chunks))
        manifest = replace(self.manifest, **{"chunks": sums, **changes})  # type: ignore[arg-type]
        case: dict[str, object] = {
            "name": name,
            "pre": {
                "genesis": self.network.genesis.encoded().hex(),
                "header_hash": None if self.trusted is None else self.trusted.hex(),
            },
            "input": {
                "manifest": manifest.encoded().hex(),
                "chunks": [chunk.hex() for chunk in chunks],
            },
        }
        self.cases.append(case if post is None else {**case, "post": post})

    def accept(self, name: str) -> None:
        """Add the snapshot as it is."""
        head = self.manifest.head
        rows = [frame for frame in self.frames if frame[0]]
        post = {
            "hash": self.manifest.hash.hex(),
            "height": head.height,
            "first_height": self.manifest.first_height,
            "state_root": head.state_root.hex(),
            "blocks": len(self.frames) - len(rows),
            "rows": len(rows),
        }
        self.take(name, post=post)

    def edit_block(self, change: Callable[[BlockRecord], BlockRecord], at: int = -1) -> Frames:
        """Change a block, the last one unless told otherwise."""
        blocks = [frame for frame in self.frames if not frame[0]]
        rows = self.frames[len(blocks) :]
        blocks[at] = (b"", change(decode_record(blocks[at][1])).encoded())
        return blocks + rows


def _play(network: Network, folder: Path) -> Chain:
    """Play half an hour, of which the snapshot needs the second half."""
    genesis = network.genesis
    forge = Forge(network)
    sealer = NobodySeals() if genesis.is_voted else KeySealer(forge.key("sealer"))
    log = BlockLog.open(FileStorage(folder / "log"))
    chain = Chain.open(log, MemoryStore(), network, Rules(genesis), sealer)
    ann, bob = forge.key("ann"), forge.key("bob", 2)
    for minute in (1, 2, 15, 16, 18, 32):
        time_ms = START_MS + minute * MINUTE_MS
        until_ms = time_ms + MINUTE_MS
        calls = (
            ["add", [ann.address, f"at {minute}", minute]],
            ["drop", [bob.address, "nothing"]],  # is refused, with facts for people
        )
        envelopes = (
            forge.call(calls[0], by=(ann,), until_ms=until_ms),
            forge.call(calls[1], by=(bob,), until_ms=until_ms),
            b"rubbish",  # is left out, with words
        )
        batch = forge.batch(*envelopes)
        checked = build_checked(batch, check_batch(batch, network, verify_many), network)
        *_, result = chain.execute_stepwise(time_ms, [checked])
        at = CONSENSUS_STEP * result.header.height if genesis.is_voted else 0
        chain.append(result, [checked], at, ((bytes(32), minute),) if at else ())
        chain.sync()
    return chain


def make_snapshots() -> list[dict[str, object]]:
    cases = []
    for name, network in (
        ("a sealed network", NETWORKS["vectors"]),
        ("a sealed network of sm3", NETWORKS["vectors-sm3"]),
        ("a voted network", make_voted()),
    ):
        taken = Taken(network)
        taken.accept(name)
        cases += taken.cases
    taken = Taken(NETWORKS["vectors"])
    _take_manifests(taken)
    _take_streams(taken)
    _take_blocks(taken)
    _take_rows(taken)
    voted = Taken(make_voted())
    _take_voted(voted)
    return cases + taken.cases + voted.cases


def _take_manifests(taken: Taken) -> None:
    manifest = taken.manifest
    earlier = taken.earlier
    taken.take("another version", version=2)
    taken.take("no chunks", chunks=[])
    taken.take("a block that is none of its own for its last", header=earlier.header,
               seals=earlier.signatures)  # fmt: skip
    ((suite, key, signature),) = manifest.seals
    taken.take("not sealed", seals=())
    taken.take("a forged seal", seals=((suite, key, signature[::-1]),))
    taken.take("a seal twice", seals=manifest.seals * 2)
    taken.take("a first block behind the last", first_height=manifest.height + 1)
    taken.take("a first block before its own", first_height=manifest.first_height - 1)
    taken.take("another height of the consensus than its last block's", consensus_height=1)
    sums = (compute_sum(b"another"), *manifest.chunks[1:])
    taken.cases.append(
        {
            **taken.cases[0],
            "name": "a chunk that is not the one of the manifest",
            "input": {
                "manifest": replace(manifest, chunks=sums).encoded().hex(),
                "chunks": [chunk.hex() for chunk in taken.chunks],
            },
        }
    )


def _take_streams(taken: Taken) -> None:
    stream, frames = b"".join(taken.chunks), taken.frames
    taken.take("a last frame that is not whole", chunks=[stream[:-1]])
    taken.take("a byte behind the last frame", chunks=[stream + b"\0"])
    long = (4_097).to_bytes(4, "little") + (1).to_bytes(4, "little")
    taken.take("a key that is too long", chunks=[stream + long])
    taken.take("no blocks", [frame for frame in frames if frame[0]])
    taken.take("a block behind the rows", [*frames[1:], frames[0]])
    taken.take("no rows", [frame for frame in frames if not frame[0]])
    taken.take("a block twice", [frames[0], *frames])
    taken.take("a block left out", [frames[0], *frames[2:]])
    taken.take("a stream of nothing", chunks=[b""])
    first = taken.manifest.first_height + 1
    taken.take("blocks that do not reach back fifteen minutes", frames[1:], first_height=first)


def _take_blocks(taken: Taken) -> None:
    def put(name: str, change: Callable[[BlockRecord], BlockRecord]) -> None:
        taken.take(name, taken.edit_block(change, 1))

    put("facts", lambda record: replace(record, facts=((1, ()),)))
    put(
        "words on what was left out",
        lambda record: replace(
            record, dropped=tuple(Drop(*(*_list(drop)[:3], "words")) for drop in record.dropped)
        ),
    )
    put("updates of validators", lambda record: replace(record, validator_updates=((b"", 1),)))
    put("nothing left out", lambda record: replace(record, dropped=()))
    put("a batch left out", lambda record: replace(record, batches=()))
    put("a receipt left out", lambda record: replace(record, receipts=record.receipts[1:]))
    put("receipts in another order", lambda record: replace(record, receipts=record.receipts[::-1]))
    put("a batch with a byte more", lambda record: replace(record, batches=(*record.batches, b"")))
    put("a block that is not sealed", lambda record: replace(record, signatures=()))
    put("a lower height of the consensus", lambda record: replace(record, consensus_height=9))

    other = taken.edit_block(lambda record: replace(record, header=taken.earlier.header))
    taken.take("a header of another block", other)


def _list(drop: Drop) -> list[object]:
    return [getattr(drop, name) for name in drop.__struct_fields__]


def _take_rows(taken: Taken) -> None:
    blocks = [frame for frame in taken.frames if not frame[0]]
    rows = taken.frames[len(blocks) :]
    (key, value), *others = rows
    taken.take("a row left out", blocks + others)
    taken.take("a row more", [*blocks, *rows, (b"zz more", b"row")])
    taken.take("a row changed", [*blocks, (key, value[:-1] + b"\x7f"), *others])
    taken.take("a row under another key", [*blocks, (key[:-1] + b"\0", value), *others])
    taken.take("rows in another order", [*blocks, *others, (key, value)])
    taken.take("a row twice", [*blocks, rows[0], *rows])
    taken.take("a key of one byte", [*blocks, (b"a", b""), *rows])
    long = [*blocks, *rows]
    at = len(b"".join(map(encode_frame, long[:-1])))
    taken.take("rows that end early", chunks=[b"".join(taken.chunks)[:at]])


def _take_voted(taken: Taken) -> None:
    manifest = taken.manifest
    sealer = KeySealer(Forge(taken.network).key("sealer"))
    seals = sealer.seal(taken.network.header_prefix + manifest.header)
    taken.take("a seal where validators vote", taken.edit_block(
        lambda record: replace(record, signatures=seals)))  # fmt: skip
    taken.take("another header than the one that is trusted", header=taken.earlier.header,
               frames=taken.edit_block(lambda record: record)[:-1])  # fmt: skip
    step = CONSENSUS_STEP
    taken.take("a last block at another height of CometBFT", consensus_height=step)
    first = decode_header(decode_record(taken.frames[0][1]).header).height
    taken.take("heights of CometBFT that fall", taken.edit_block(
        lambda record: replace(record, consensus_height=step * first - 1), 1))  # fmt: skip
