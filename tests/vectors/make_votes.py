"""Vectors of votes: blocks of Hansa that validators signed, and every way in which they did not."""

from __future__ import annotations

from dataclasses import replace as change_checkpoint

import msgspec
from tests.vectors.parts import NETWORKS, START_MS
from tests.vectors.voting import (
    FIRST,
    FOURTH,
    PARTS,
    SECOND,
    Council,
    in_force,
    make_set,
    make_voted,
)

from hansa.kernel.block import Header
from hansa.kernel.encoding import encode
from hansa.kernel.genesis import Network
from hansa.kernel.light.header import Moment, Parts
from hansa.kernel.light.trail import Checkpoint, HandOver, encode_checkpoint, follow
from hansa.kernel.light.validators import POWER_MAX, ValidatorSet
from hansa.kernel.light.votes import Votes, begin

replace = msgspec.structs.replace


class Docket:
    """A block of a network, the votes on it, and the cases made of them."""

    def __init__(self, network: Network, height: int = 40) -> None:
        self.network = network
        digest = network.digest
        hashes = [digest(name) for name in (b"before", b"txs", b"receipts", b"writes")]
        header = Header(1, 9, START_MS + 9_000, *hashes, 8, digest(b"state"), 1, digest(b"batches"))
        self.header = header.encoded()
        self.other = replace(header, tx_count=2).encoded()
        self.hash = digest(network.header_prefix + self.header)
        self.council = Council(network)
        self.votes = Votes(
            self.council.list_hand_overs(height), self.council.sign(height, self.hash)
        )
        self.cases: list[dict[str, object]] = []

    def take(self, name: str, votes: Votes | None = None, **changes: object) -> None:
        """Add a case: votes on this block, as of genesis or a checkpoint; good unless `code`."""
        votes = votes or self.votes
        network = changes.get("network", self.network)
        start = changes.get("checkpoint")
        case: dict[str, object] = {
            "name": name,
            "pre": {
                "genesis": network.genesis.encoded().hex(),
                "checkpoint": start and start.hex(),
            },
            "input": {
                "header": changes.get("header", self.header).hex(),
                "votes": changes.get("raw", encode(votes)).hex(),
            },
        }
        if "code" in changes:
            case["code"] = changes["code"]
        else:
            header = votes.signed_header.header
            case["post"] = {
                "height": header.height,
                "block_hash": header.compute_hash().hex(),
                "checkpoint_height": changes.get("from_height", 1),
                "signers": len(votes.signed_header.signatures),
            }
        self.cases.append(case)

    def start_at(self, height: int) -> Checkpoint:
        """Make the checkpoint behind the hand-overs below a height."""
        return follow(begin(self.network), self.council.list_hand_overs(height))


def make_votes() -> list[dict[str, object]]:
    cases = []
    for name, height in (("the first set", 9), ("a hand-over", 25), ("hand-overs in a row", 40)):
        docket = Docket(make_voted(), height)
        docket.take(name)
        cases += docket.cases
    docket = Docket(make_voted("voted-sm3", "sm3"))
    docket.take("a network of sm3: CometBFT hashes with SHA-256 all the same")
    cases += docket.cases
    docket = Docket(make_voted())
    _take_times(docket)
    _take_few(docket)
    _take_checkpoints(docket)
    _take_other_blocks(docket)
    _take_forged(docket)
    _take_hand_overs(docket)
    _take_leaps(docket)
    _take_encodings(docket)
    return cases + docket.cases


def _take_few(docket: Docket) -> None:
    """Signers of FOURTH: powers 6, 5, 3, 3 of 17."""

    def signed(*names: str) -> Votes:
        header = docket.council.sign(40, docket.hash, signers=names)
        return replace(docket.votes, signed_header=header)

    docket.take("more than two thirds", signed("north later", "small", "seldom"))
    docket.take("less than two thirds", signed("north later", "full"), code="SIGNATURE")
    docket.take("nobody", signed(), code="SIGNATURE")
    first = Docket(docket.network, 9)  # 4, 3, 3, 2 of 12
    exact = first.council.sign(9, first.hash, signers=("north", "small"))
    more = first.council.sign(9, first.hash, signers=("north", "small", "wrong"))
    first.take("7 of 12", Votes((), exact), code="SIGNATURE")
    first.take("9 of 12", Votes((), more))
    exact = first.council.sign(9, first.hash, signers=("small", "seldom", "wrong"))
    first.take("two thirds exactly", Votes((), exact), code="SIGNATURE")
    docket.cases += first.cases


def _take_times(docket: Docket) -> None:
    """One validator whose clock is anywhere; CometBFT takes the years 1 to 9999."""
    first, last = -62_135_596_800, 253_402_300_799
    for name, moment in (
        ("a vote from 1969", Moment(-1_000, 0)),
        ("a vote from just before 1970", Moment(-1, 999_999_999)),
        ("a vote from the year 1", Moment(first, 0)),
        ("a vote from the end of the year 9999", Moment(last, 999_999_999)),
    ):
        signed = docket.council.sign(40, docket.hash, times={"small": moment})
        one, *others = docket.votes.hand_overs
        odd = HandOver(docket.council.sign(20, times={"seldom": moment}), one.validators)
        docket.take(name, Votes((odd, *others), signed))
    for name, moment in (
        ("a vote from before the year 1", Moment(first - 1, 0)),
        ("a vote from the year 10000", Moment(last + 1, 0)),
        ("a vote with too many nanoseconds", Moment(0, 1_000_000_000)),
        ("a vote with negative nanoseconds", Moment(0, -1)),
    ):
        signed = docket.council.sign(40, docket.hash, times={"small": moment})
        docket.take(name, replace(docket.votes, signed_header=signed), code="MALFORMED")


def _take_checkpoints(docket: Docket) -> None:
    late = docket.start_at(40)
    raw = encode_checkpoint(late)
    *head, height, moment, validators, checksum = msgspec.msgpack.decode(raw)
    rest = (moment, validators, checksum)
    only_last = replace(docket.votes, hand_overs=())
    docket.take("a checkpoint behind all hand-overs", checkpoint=raw, from_height=late.height)
    docket.take("nothing from before", only_last, checkpoint=raw, from_height=late.height)
    between = docket.start_at(25)
    docket.take(
        "a checkpoint between", checkpoint=encode_checkpoint(between), from_height=between.height
    )
    later = change_checkpoint(late, height=41)
    others = change_checkpoint(late, validators=make_set(SECOND))
    elsewhere = change_checkpoint(late, genesis_hash=bytes(32))
    for text, given, code in (
        ("a checkpoint from behind the block", encode_checkpoint(later), "MALFORMED"),
        ("a checkpoint of other validators", encode_checkpoint(others), "SIGNATURE"),
        ("a checkpoint of another network", encode_checkpoint(elsewhere), "SIGNATURE"),
        ("a checkpoint with another height", encode([*head, 42, *rest]), "MALFORMED"),
        ("no checkpoint", encode(["hansa-receipt", *head[1:], height, *rest]), "MALFORMED"),
        (
            "a checkpoint to come",
            encode([head[0], 2, head[2], height, *rest]),
            "UNSUPPORTED_VERSION",
        ),
        ("half a checkpoint", raw[:-1], "MALFORMED"),
        ("a checkpoint that is too large", raw + bytes(16_384), "TOO_LARGE"),
    ):
        docket.take(text, checkpoint=given, code=code)


def _take_other_blocks(docket: Docket) -> None:
    docket.take("another block", header=docket.other, code="SIGNATURE")
    docket.take("another network", network=make_voted("other"), code="SIGNATURE")
    docket.take("a sealed network", network=NETWORKS["vectors"], code="SIGNATURE")
    alien = Council(make_voted("other")).sign(40, docket.hash)
    docket.take("another chain id", replace(docket.votes, signed_header=alien), code="SIGNATURE")


def _take_forged(docket: Docket) -> None:
    signed = docket.votes.signed_header
    header, first, *others = signed.header, *signed.signatures
    council = docket.council
    altered = {
        "a header that was changed": (
            replace(signed, header=replace(header, data_hash=bytes(32))), "SIGNATURE",
        ),
        "another round": (replace(signed, round=signed.round + 1), "SIGNATURE"),
        "other parts": (replace(signed, parts=Parts(2, PARTS.hash)), "SIGNATURE"),
        "another time of a vote": (
            replace(signed, signatures=(replace(first, time=Moment(1, 1)), *others)), "SIGNATURE",
        ),
        "another's vote": (
            replace(signed, signatures=(
                replace(first, signature=others[0].signature), *others,
            )), "SIGNATURE",
        ),
        "a vote twice": (replace(signed, signatures=(first, first, *others)), "MALFORMED"),
        "votes out of order": (replace(signed, signatures=signed.signatures[::-1]), "MALFORMED"),
        "a vote of nobody": (
            replace(signed, signatures=(*signed.signatures[:3], replace(first, index=4))),
            "MALFORMED",
        ),
        "a version of CometBFT to come": (
            council.sign(40, docket.hash, block_version=12), "UNSUPPORTED_VERSION",
        ),
        "validators who are not in force": (
            council.sign_again(
                replace(signed, header=replace(
                    header, validators_hash=make_set(FIRST).compute_hash(),
                )), FIRST,
            ), "SIGNATURE",
        ),
    }  # fmt: skip
    for name, (forged, code) in altered.items():
        docket.take(name, replace(docket.votes, signed_header=forged), code=code)


def _take_hand_overs(docket: Docket) -> None:
    one, two, three = docket.votes.hand_overs
    council = docket.council
    weak = HandOver(council.sign(20, signers=("north", "wrong")), one.validators)
    to_others = HandOver(one.signed_header, make_set(FOURTH))
    for name, given, code in (
        ("no hand-over", (), "SIGNATURE"),
        ("the first hand-over missing", (two, three), "SIGNATURE"),
        ("the last hand-over missing", (one, two), "SIGNATURE"),
        ("hand-overs out of order", (two, one, three), "SIGNATURE"),
        ("a hand-over twice", (one, one, two, three), "MALFORMED"),
        ("a hand-over by too few", (weak, two, three), "SIGNATURE"),
        ("a hand-over to others", (to_others, two, three), "MALFORMED"),
        ("a hand-over to nobody", (HandOver(council.sign(19), make_set(SECOND)),), "MALFORMED"),
    ):
        docket.take(name, replace(docket.votes, hand_overs=given), code=code)


def _take_leaps(docket: Docket) -> None:
    """Headers of later sets, signed by enough of FIRST: north 4, small 3, seldom 3, wrong 2."""
    council, raw = docket.council, encode_checkpoint(docket.start_at(25))
    one, two, three = docket.votes.hand_overs

    def leap(height: int, *signers: str, **changes: object) -> HandOver:
        signed = council.sign(height, signers=signers or None, **changes)
        return HandOver(signed, make_set(in_force(height)))

    for name, given in (
        ("a leap over one change", (leap(25), two, three)),
        ("a leap over two, and a hand-over by the same header", (leap(25), leap(30), two, three)),
        ("a leap by 10 of 12 who were known", (leap(31), three)),
        ("a leap to the set in force", (leap(19), one, two, three)),
        ("a leap behind a hand-over", (one, leap(31), three)),
        ("leaps in a row", (leap(21), leap(22), leap(31), three)),
    ):
        docket.take(name, replace(docket.votes, hand_overs=given))
    kept = replace(docket.votes, hand_overs=(leap(25), leap(31), three))
    docket.take("a leap from a checkpoint", kept, checkpoint=raw, from_height=21)
    others = HandOver(council.sign(31), make_set(SECOND))
    few = leap(31, "north", "small", "full")
    for name, given, code in (
        ("a leap to where too few are known", (leap(40),), "SIGNATURE"),
        ("a leap by 7 of 12 who were known", (few, three), "SIGNATURE"),
        ("a leap by 5 of 14", (leap(25, "small", "wrong"), two, three), "SIGNATURE"),
        ("a leap of another network", (leap(25, chain_id="hansa-other"), two, three), "SIGNATURE"),
        ("a leap to other validators than signed", (others, three), "SIGNATURE"),
        ("a leap back", (one, two, leap(25), three), "MALFORMED"),
    ):
        docket.take(name, replace(docket.votes, hand_overs=given), code=code)


def _take_encodings(docket: Docket) -> None:
    one, *others = docket.votes.hand_overs
    ordered = one.validators.validators
    heavy = (replace(ordered[0], power=POWER_MAX), *ordered[1:])
    for name, validators in (
        ("a set out of order", ordered[::-1]),
        ("a validator twice", (*ordered, replace(ordered[-1], power=1))),
        ("more power than is counted", heavy),
    ):
        bad = HandOver(one.signed_header, ValidatorSet(validators))
        docket.take(name, replace(docket.votes, hand_overs=(bad, *others)), code="MALFORMED")
    raw = encode(docket.votes)
    fields = msgspec.msgpack.decode(raw)
    for name, given, code in (
        ("half of it", raw[:-1], "MALFORMED"),
        ("something behind it", raw + b"\xc0", "MALFORMED"),
        ("a field more", encode([*fields, 0]), "MALFORMED"),
        ("a hand-over that is bytes", encode([[b"to whom"], fields[1]]), "MALFORMED"),
        ("a longer form", b"\xdc\x00\x02" + raw[1:], "NOT_CANONICAL"),
    ):
        docket.take(name, raw=given, code=code)
