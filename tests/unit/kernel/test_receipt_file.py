"""A receipt file proves one transaction to a stranger, and nothing in it can be changed.

Run as a program, this module writes `tests/vectors/receipts/vectors.json`.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import msgspec
import pytest
from tests.conftest import FLIP_STEP
from tests.vectors import independent, independent_receipt
from tests.vectors.voting import Council, make_voted

from hansa.contracts.payments import Transfer
from hansa.kernel.block import BlockRecord, Header
from hansa.kernel.crypto.hashing import ZERO_HASH
from hansa.kernel.crypto.signatures import Suite
from hansa.kernel.encoding import encode
from hansa.kernel.errors import Invalid, InvalidCode
from hansa.kernel.genesis import GENESIS_VERSION, Genesis, Limits, Network, Sealer
from hansa.kernel.light.trail import Checkpoint, encode_checkpoint, follow
from hansa.kernel.light.votes import Votes, begin
from hansa.kernel.receipt_file import FILE_BYTES_MAX, build_receipt_file, verify_receipt_file
from hansa.kernel.trees.merkle import compute_root
from hansa.sdk.build import sign_transaction
from hansa.sdk.keys import KeyPair

VECTORS = Path(__file__).resolve().parents[2] / "vectors" / "receipts" / "vectors.json"
START_MS = 1_700_000_000_000
FIELDS = [
    "format",
    "version",
    "genesis",
    "hand_overs",
    "header",
    "seals",
    "index",
    "envelope",
    "tx_path",
    "receipt",
    "receipt_path",
]
VOTED_FIELDS = [*FIELDS[:3], "header", "votes", *FIELDS[6:]]
SUITES = (Suite.ED25519, Suite.P256, Suite.SECP256K1)


def make_key(name: str, suite: Suite, hash_name: str) -> KeyPair:
    return KeyPair.from_seed(hashlib.sha256(name.encode()).digest(), suite, hash_name)


class Ledger:
    """A network of one sealer, and one block on it, made without a state machine.

    Args:
      count: transactions in the block.
      suite: of all keys.
      hash_name: of the crypto profile.
      signers: keys that sign each transaction, each of another suite, from `suite` on.
    """

    def __init__(
        self,
        count: int,
        suite: Suite = Suite.ED25519,
        hash_name: str = "sha256",
        signers: int = 1,
        network: str = "vectors",
    ) -> None:
        self.sealer = make_key("sealer", suite, hash_name)
        self.network = self.make_network(network, suite, hash_name)
        self.genesis = self.network.genesis
        begin = SUITES.index(suite)
        suites = [SUITES[(begin + number) % len(SUITES)] for number in range(signers)]
        self.keys = [make_key(f"payer {at}", item, hash_name) for at, item in enumerate(suites)]
        self.envelopes = []
        self.tx_ids = []
        for number in range(count):
            self._add_transaction(number, hash_name)
        self.receipts = tuple(map(self.make_receipt, range(count)))
        self.record = self.seal(self.make_header())

    def make_network(self, name: str, suite: Suite, hash_name: str) -> Network:
        genesis = Genesis(
            version=GENESIS_VERSION,
            network=name,
            time_ms=START_MS,
            hash=hash_name,
            suites=tuple(int(known) for known in SUITES),
            limits=Limits(),
            sealers=(Sealer(int(suite), self.sealer.public_key),),
            members=(),
            assets=(),
            policy=(),
            contracts=(),
        )
        return Network.of(genesis)

    def _add_transaction(self, number: int, hash_name: str) -> None:
        payee = make_key("payee", Suite.ED25519, hash_name).address
        command = Transfer(self.keys[0].address, payee, "MOP", 100 + number, f"invoice-{number}")
        signed = sign_transaction(
            self.network,
            self.keys,
            [command],
            START_MS + 60_000,
            lambda size: hashlib.sha256(b"nonce %d" % number).digest()[:size],
        )
        self.envelopes.append(signed.envelope)
        self.tx_ids.append(signed.tx_id)

    def make_receipt(self, number: int) -> bytes:
        if number % 2:
            return encode((self.tx_ids[number], 1, "payments.ID_USED", 0, ()))
        payer = self.keys[0].address
        delta = ("wallet", payer, "MOP", -100 - number, 10_000, 5 << 20)
        events = (("payments", "Transferred", ((delta,), f"invoice-{number}", b"")),)
        return encode((self.tx_ids[number], 0, "", 0, events))

    def make_header(self, **changes) -> Header:
        digest = self.network.digest
        header = Header(
            version=1,
            height=7,
            time_ms=START_MS + 7_000,
            previous_hash=digest(b"block 6"),
            tx_root=compute_root([digest(raw) for raw in self.envelopes], digest),
            receipt_root=compute_root(self.receipts, digest),
            write_set_hash=digest(b"writes"),
            checkpoint_height=6,
            state_root=digest(b"state"),
            tx_count=len(self.receipts),
            batch_root=digest(b"batches"),
        )
        return msgspec.structs.replace(header, **changes)

    def seal(self, header: Header) -> BlockRecord:
        raw = header.encoded()
        signature = self.sealer.sign(self.network.header_prefix + raw)
        seal = (int(self.sealer.suite), self.sealer.public_key, signature)
        return BlockRecord(raw, (seal,), (), self.receipts, (), ())

    def build(self, index: int) -> bytes:
        return build_receipt_file(self.network, self.record, self.envelopes, index)


class VotedLedger(Ledger):
    """The same block on a network whose validators vote, after three hand-overs."""

    def make_network(self, name: str, suite: Suite, hash_name: str) -> Network:
        return make_voted(name, hash_name)

    def seal(self, header: Header) -> BlockRecord:
        return BlockRecord(header.encoded(), (), (), self.receipts, (), (), 39)

    def vote(self, height: int = 40) -> Votes:
        council = Council(self.network)
        head_hash = self.network.digest(self.network.header_prefix + self.record.header)
        return Votes(council.list_hand_overs(height), council.sign(height, head_hash))

    def build(self, index: int) -> bytes:
        return build_receipt_file(self.network, self.record, self.envelopes, index, self.vote())

    def start_at(self, height: int) -> Checkpoint:
        return follow(begin(self.network), Council(self.network).list_hand_overs(height))


def change(raw: bytes, **changes) -> bytes:
    """Build a file anew with some of its fields changed by functions."""
    fields = msgspec.msgpack.decode(raw)
    names = FIELDS if len(fields) == len(FIELDS) else VOTED_FIELDS
    for name, function in changes.items():
        at = names.index(name)
        fields[at] = function(fields[at])
    return msgspec.msgpack.encode(fields)


def refuse(raw: bytes, trusted: bytes | None = None) -> InvalidCode:
    with pytest.raises(Invalid) as error:
        verify_receipt_file(raw, trusted)
    return error.value.code


# --- what it proves -----------------------------------------------------------------------------


@pytest.mark.parametrize("hash_name", ["sha256", "sm3"])
@pytest.mark.parametrize("suite", SUITES)
def test_every_transaction_of_a_block_can_be_proved(suite, hash_name):
    for count in (1, 2, 3, 5, 8):
        ledger = Ledger(count, suite, hash_name)
        for index in range(count):
            found = verify_receipt_file(ledger.build(index), ledger.network.genesis_hash)
            assert found.tx_id == ledger.tx_ids[index]
            assert found.receipt.tx_id == ledger.tx_ids[index]
            assert (found.header.height, found.index) == (7, index)
            assert found.body.signers == (ledger.keys[0].address,)


def test_it_says_as_of_which_genesis():
    ledger = Ledger(2)
    raw = ledger.build(0)
    trusted = verify_receipt_file(raw, ledger.network.genesis_hash)
    assert trusted.is_genesis_trusted
    assert trusted.describe_trust() == "the genesis that you named"
    unknown = verify_receipt_file(raw)
    assert not unknown.is_genesis_trusted
    assert unknown.describe_trust().startswith("the genesis in the file; compare its hash")
    assert unknown.genesis_hash == ledger.network.genesis_hash
    assert unknown.header_hash == ledger.network.digest(
        ledger.network.header_prefix + ledger.record.header
    )


def test_another_network_is_refused_by_its_hash():
    other = Ledger(1, network="other").network.genesis_hash
    assert refuse(Ledger(1).build(0), other) is InvalidCode.SIGNATURE


def test_there_is_no_file_of_a_transaction_that_is_not_there():
    for index in (2, -1):
        with pytest.raises(Invalid):
            Ledger(2).build(index)


# --- voted networks -----------------------------------------------------------------------------


def test_votes_are_followed_from_genesis():
    ledger = VotedLedger(3)
    found = verify_receipt_file(ledger.build(2), ledger.network.genesis_hash)
    assert found.tx_id == ledger.tx_ids[2]
    assert found.describe_trust() == "the genesis that you named"
    assert (found.trail.start.height, found.trail.end.height) == (1, 40)
    assert (found.trail.hand_overs, found.trail.tally.power_signed) == (3, 17)
    assert not verify_receipt_file(ledger.build(2)).is_genesis_trusted
    assert verify_receipt_file(Ledger(1).build(0)).trail is None


def test_a_checkpoint_says_whom_to_trust_and_since_when():
    ledger = VotedLedger(2)
    raw, start = ledger.build(0), ledger.start_at(40)
    found = verify_receipt_file(raw, checkpoint=start)
    assert found.is_genesis_trusted
    assert found.trail.hand_overs == 0
    assert found.describe_trust() == (
        "your checkpoint at CometBFT's height 32, 2023-11-14T22:13:51.000Z"
    )
    later = verify_receipt_file(raw, checkpoint=found.trail.end)
    assert later.trail.start.height == 40
    shorter = change(raw, votes=lambda votes: [[], votes[1]])
    assert refuse(shorter) is InvalidCode.SIGNATURE
    assert verify_receipt_file(shorter, checkpoint=start).tx_id == found.tx_id
    assert independent_receipt.verify(shorter, checkpoint=encode_checkpoint(start))


def test_a_checkpoint_of_elsewhere_is_refused():
    ledger, start = VotedLedger(1), VotedLedger(1).start_at(40)
    other = VotedLedger(1, network="other")
    for raw, trusted, checkpoint in (
        (other.build(0), None, start),
        (ledger.build(0), other.network.genesis_hash, start),
        (Ledger(1).build(0), None, start),
    ):
        with pytest.raises(Invalid) as error:
            verify_receipt_file(raw, trusted, checkpoint)
        assert error.value.code is InvalidCode.SIGNATURE
        with pytest.raises(independent.Bad, match="SIGNATURE"):
            independent_receipt.verify(raw, trusted, encode_checkpoint(checkpoint))


# --- nothing can be changed ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ledger", "masks"),
    [
        pytest.param(Ledger(3), (0x01, 0x80, 0xFF), id="ed25519"),
        pytest.param(Ledger(1, Suite.P256, "sm3", 2), (0x01, 0x80, 0xFF), id="p256"),
        pytest.param(Ledger(2, Suite.SECP256K1), (0x01, 0x80, 0xFF), id="secp256k1"),
        pytest.param(VotedLedger(2), (0x01,), id="voted"),
    ],
)
def test_any_flipped_byte_fails(ledger, masks):
    raw = ledger.build(0)
    for at in range(0, len(raw), FLIP_STEP):
        for mask in masks:
            bad = bytearray(raw)
            bad[at] ^= mask
            with pytest.raises(Invalid):
                verify_receipt_file(bytes(bad))


def test_any_cut_and_anything_behind_fails():
    raw = Ledger(3).build(1)
    for size in range(len(raw)):
        refuse(raw[:size])
    assert refuse(raw + b"\xc0") is InvalidCode.MALFORMED


def test_a_huge_file_is_refused_unread():
    assert refuse(bytes(FILE_BYTES_MAX + 1)) is InvalidCode.TOO_LARGE


def list_forgeries() -> dict[str, tuple[bytes, InvalidCode]]:
    """List files that each break one rule, with the code that says which."""
    ledger, other = Ledger(3), Ledger(3, network="other")
    raw = ledger.build(1)
    stranger = make_key("stranger", Suite.ED25519, "sha256")
    header_message = ledger.network.header_prefix + ledger.record.header
    false_seal = [1, stranger.public_key, stranger.sign(header_message)]
    unsealed_header = ledger.make_header(height=8).encoded()
    later = ledger.make_header(version=2)
    longer = ledger.build(0)
    invalid = InvalidCode
    return {
        "another format": (change(raw, format=lambda _: "hansa-recept"), invalid.MALFORMED),
        "a version to come": (change(raw, version=lambda _: 3), invalid.UNSUPPORTED_VERSION),
        "the version of voted networks": (change(raw, version=lambda _: 2), invalid.MALFORMED),
        "another genesis": (
            change(raw, genesis=lambda _: other.genesis.encoded()),
            invalid.SIGNATURE,
        ),
        "a hand-over": (
            change(raw, hand_overs=lambda _: [b"to whom"]),
            invalid.UNSUPPORTED_VERSION,
        ),
        "a header that was not sealed": (
            change(raw, header=lambda _: unsealed_header),
            invalid.SIGNATURE,
        ),
        "a header of a version to come": (
            change(
                raw,
                header=lambda _: later.encoded(),
                seals=lambda _: ledger.seal(later).signatures,
            ),
            invalid.UNSUPPORTED_VERSION,
        ),
        "no seal": (change(raw, seals=lambda _: []), invalid.SIGNATURE),
        "a seal twice": (change(raw, seals=lambda seals: seals * 2), invalid.SIGNATURE),
        "a stranger's seal": (change(raw, seals=lambda _: [false_seal]), invalid.SIGNATURE),
        "a stranger's seal beside the right one": (
            change(raw, seals=lambda seals: [*seals, false_seal]),
            invalid.SIGNATURE,
        ),
        "a neighbour's place": (change(raw, index=lambda _: 0), invalid.MALFORMED),
        "a place behind the end": (change(raw, index=lambda _: 3), invalid.MALFORMED),
        "a neighbour's envelope": (
            change(raw, envelope=lambda _: ledger.envelopes[0]),
            invalid.MALFORMED,
        ),
        "a neighbour's receipt": (
            change(raw, receipt=lambda _: ledger.receipts[0]),
            invalid.MALFORMED,
        ),
        "a receipt that tells better news": (
            change(raw, receipt=lambda _: encode((ledger.tx_ids[1], 0, "", 0, ()))),
            invalid.MALFORMED,
        ),
        "a path too short": (change(raw, tx_path=lambda path: path[:-1]), invalid.MALFORMED),
        "a path too long": (
            change(raw, receipt_path=lambda path: [*path, ZERO_HASH]),
            invalid.MALFORMED,
        ),
        "a neighbour's paths": (
            change(raw, tx_path=lambda _: msgspec.msgpack.decode(longer)[8]),
            invalid.MALFORMED,
        ),
        "a field more": (encode([*msgspec.msgpack.decode(raw), 0]), invalid.MALFORMED),
        "a number in a longer form": (
            raw.replace(b"hansa-receipt\x01", b"hansa-receipt\xcc\x01", 1),
            invalid.NOT_CANONICAL,
        ),
        **list_voted_forgeries(ledger),
    }


def list_voted_forgeries(sealed: Ledger) -> dict[str, tuple[bytes, InvalidCode]]:
    """List files of voted networks that each break a rule; `light/votes.json` has more of them."""
    ledger, other = VotedLedger(3), VotedLedger(3, network="other")
    raw = ledger.build(1)
    hand_overs, signed = msgspec.msgpack.decode(raw)[4]
    unsigned = ledger.make_header(height=8).encoded()
    seal = sealed.record.signatures
    sealed_file = build_receipt_file(ledger.network, ledger.record, ledger.envelopes, 1)
    voted_file = build_receipt_file(
        sealed.network, sealed.record, sealed.envelopes, 1, ledger.vote()
    )
    return {
        "voted: not of this version": (change(raw, version=lambda _: 1), InvalidCode.MALFORMED),
        "voted: a version to come": (
            change(raw, version=lambda _: 3), InvalidCode.UNSUPPORTED_VERSION,
        ),
        "voted: another genesis": (
            change(raw, genesis=lambda _: other.genesis.encoded()), InvalidCode.SIGNATURE,
        ),
        "voted: a header that nobody signed": (
            change(raw, header=lambda _: unsigned), InvalidCode.SIGNATURE,
        ),
        "voted: hand-overs missing": (
            change(raw, votes=lambda _: [hand_overs[1:], signed]), InvalidCode.SIGNATURE,
        ),
        "voted: a hand-over that is none": (
            change(raw, votes=lambda _: [[signed], signed]), InvalidCode.MALFORMED,
        ),
        "voted: too few votes": (
            change(raw, votes=lambda _: [hand_overs, [*signed[:3], signed[3][1:3]]]),
            InvalidCode.SIGNATURE,
        ),
        "voted: sealed by a stranger instead": (
            change(sealed_file, seals=lambda _: seal), InvalidCode.SIGNATURE,
        ),
        "voted: neither votes nor seals": (sealed_file, InvalidCode.SIGNATURE),
        "votes on a sealed network's block": (voted_file, InvalidCode.SIGNATURE),
        "voted: a neighbour's receipt": (
            change(raw, receipt=lambda _: ledger.receipts[0]), InvalidCode.MALFORMED,
        ),
        "voted: a neighbour's place": (change(raw, index=lambda _: 0), InvalidCode.MALFORMED),
        "voted: a number in a longer form": (
            raw.replace(b"hansa-receipt\x02", b"hansa-receipt\xcc\x02", 1),
            InvalidCode.NOT_CANONICAL,
        ),
    }  # fmt: skip


@pytest.mark.parametrize("name", list_forgeries())
def test_a_forgery_is_refused_by_its_own_code(name):
    raw, code = list_forgeries()[name]
    assert refuse(raw) is code


# --- vectors ------------------------------------------------------------------------------------


def make_vectors() -> list[dict[str, object]]:
    ledgers = {
        "the only transaction of a block": (Ledger(1), 0),
        "a refused transaction among three": (Ledger(3), 1),
        "the lone last leaf of five": (Ledger(5), 4),
        "sm3, p256, signed by two": (Ledger(4, Suite.P256, "sm3", 2), 2),
        "secp256k1": (Ledger(2, Suite.SECP256K1), 0),
        "voted, three hand-overs": (VotedLedger(3), 1),
        "voted, sm3": (VotedLedger(1, Suite.P256, "sm3"), 0),
    }
    cases: list[dict[str, object]] = []
    for name, (ledger, index) in ledgers.items():
        raw = ledger.build(index)
        found = verify_receipt_file(raw, ledger.network.genesis_hash)
        post = {
            "genesis_hash": ledger.network.genesis_hash.hex(),
            "header_hash": found.header_hash.hex(),
            "height": found.header.height,
            "index": index,
            "tx_id": ledger.tx_ids[index].hex(),
            "status": int(found.receipt.status),
            "code": found.receipt.code,
        }
        cases.append({"name": name, "input": raw.hex(), "post": post})
    for name, (raw, code) in list_forgeries().items():
        cases.append({"name": name, "input": raw.hex(), "code": code.value})
    return cases


def test_vectors_are_what_this_module_makes():
    assert json.loads(VECTORS.read_text()) == make_vectors()


@pytest.mark.parametrize("case", json.loads(VECTORS.read_text()), ids=lambda case: case["name"])
def test_vectors(case):
    raw = bytes.fromhex(case["input"])
    post = case.get("post")
    if post is None:
        assert refuse(raw) == case["code"]
        return
    found = verify_receipt_file(raw, bytes.fromhex(post["genesis_hash"]))
    assert found.tx_id.hex() == post["tx_id"]
    assert found.header_hash.hex() == post["header_hash"]
    assert (found.header.height, found.index) == (post["height"], post["index"])
    assert (found.receipt.status, found.receipt.code) == (post["status"], post["code"])


if __name__ == "__main__":
    VECTORS.write_text(json.dumps(make_vectors(), indent=1) + "\n")
