"""No personal data on the ledger: neither as it is, nor as a hash that can be guessed.

A town whose people's names and numbers are known uses every contract of identity. Then each byte
that its node keeps (blocks, rows, tree) is searched for them in the forms in which they could
stand there, and each 32 bytes in a row are compared with the hashes of all numbers that there are.
"""

from __future__ import annotations

import base64
import json
import tempfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from random import Random

import pytest
from tests.world import MINUTE_MS, World, key, make_genesis, open_world

from hansa.contracts import accounts, governance, wallets
from hansa.contracts.actions import Action
from hansa.contracts.identity import (
    accreditation,
    consent,
    did,
    documents,
    evidence,
    schemas,
    status,
    tiers,
)
from hansa.contracts.wallets import Category
from hansa.engine.storage import FileStorage
from hansa.engine.store import MemoryStore
from hansa.identity.tiers import compute_nullifier, compute_pairwise_subject
from hansa.kernel.authority import ALL_PURPOSES, AccountKey
from hansa.kernel.calendar import DAY_MS
from hansa.kernel.crypto.hashing import crypto_profile
from hansa.sdk.evidence import EvidenceBatch, hash_document

OFFICE, TAXES = key("north").address, key("south").address
SECRET = b"\x05" * 32
"""Of the issuer of credentials."""
PEOPLE = 12
NUMBERS = range(10**7, 10**8)
"""All eight-digit numbers."""
AROUND = 20_000
"""How many of them are tried around each person's, where time is short."""
HASHES = [crypto_profile(name).digest for name in ("sha256", "sm3")]


@dataclass(frozen=True)
class Person:
    """Somebody, with what nobody else must learn."""

    name: str
    number: int
    salt: bytes

    @property
    def data(self) -> bytes:
        """What a credential or a query would hold."""
        return json.dumps({"name": self.name, "phone": str(self.number)}).encode()


@dataclass(frozen=True)
class Ledger:
    """What was made of the people's data, and all bytes that a node keeps of it."""

    people: list[Person]
    kept: bytes


def make_people() -> list[Person]:
    random = Random(5)
    names = ("Chan", "Leong", "Wong", "Sousa", "Ferreira", "Rosário")
    return [
        Person(
            f"{random.choice(names)} {random.randbytes(4).hex()}",
            random.randrange(NUMBERS.start, NUMBERS.stop),
            random.randbytes(16),
        )
        for _ in range(PEOPLE)
    ]


@cache
def play(*, is_salted: bool) -> Ledger:
    """Let the town live; without salt, as nobody should, to see that this is found."""
    people = make_people()
    with tempfile.TemporaryDirectory() as folder:
        store = MemoryStore()
        genesis = make_genesis({"governance.membership": (2, 3, 0, DAY_MS)})
        world = open_world(FileStorage(Path(folder)), genesis, store)
        found_town(world)
        for person in people:
            use_identity(world, person, hash_of(world, person, is_salted=is_salted))
        hashes = [hash_of(world, person, is_salted=is_salted) for person in people]
        batch = EvidenceBatch.of(hashes, world.network.digest)
        assert world.do("north", batch.notarise(OFFICE)) == ""
        assert world.do("south", evidence.NotariseMany(TAXES, tuple(hashes))) == ""
        world.time_ms += 2_000
        assert world.do("south", status.Revoke(OFFICE, 1, (1,))) == "kernel.NOT_AUTHORIZED"
        kept = [part for entry in store.iterate_prefix(b"") for part in entry]
        world.chain.close()
        files = [path.read_bytes() for path in Path(folder).rglob("*") if path.is_file()]
    return Ledger(people, b"".join([*files, *kept]))


def hash_of(world: World, person: Person, *, is_salted: bool) -> bytes:
    digest = world.network.digest
    if is_salted:
        return hash_document(person.data, person.salt, digest)
    return digest(str(person.number).encode())


def list_forms(text: str) -> list[bytes]:
    """List the forms in which text could stand in bytes."""
    plain = [form.encode() for form in dict.fromkeys((text, text.lower(), text.upper()))]
    forms = [*plain, text.encode("utf-16-le"), text.encode("utf-16-be"), plain[0].hex().encode()]
    for shift in range(3):  # of base64, what does not hang on what stands around it
        inner = plain[0][-shift % 3 :]
        whole = inner[: len(inner) // 3 * 3]
        forms.append(base64.b64encode(whole))
    return forms


def list_number_forms(number: int) -> list[bytes]:
    """List the forms in which a number could stand in bytes: as text, as an integer, packed."""
    packed = [number.to_bytes(4, order) for order in ("big", "little")]
    return [*list_forms(str(number)), *packed, bytes.fromhex(str(number))]


def find_taints(ledger: Ledger) -> list[str]:
    """Find whose data stands on a ledger as it is."""
    return [
        person.name
        for person in ledger.people
        if any(
            form in ledger.kept
            for form in (*list_forms(person.name), *list_number_forms(person.number))
        )
    ]


def guess(ledger: Ledger, numbers) -> set[int]:
    """Find the numbers of which a hash stands on a ledger, as a document or as a leaf of a tree."""
    kept = ledger.kept
    stands = {kept[at : at + 32] for at in range(len(kept) - 31)}
    found = set()
    for number in numbers:
        text = str(number).encode()
        for digest in HASHES:
            if digest(text) in stands or digest(b"\x00" + digest(text)) in stands:
                found.add(number)
    return found


def list_around(ledger: Ledger) -> set[int]:
    """List numbers to try where time is short: the right ones, and some around each."""
    return {
        number
        for person in ledger.people
        for number in range(person.number - AROUND // PEOPLE, person.number + AROUND // PEOPLE)
    }


def found_town(world: World) -> None:
    """Publish a type, accredit the office for it, begin a list."""
    until_ms = world.time_ms + DAY_MS
    grant = (OFFICE, "resident", 1, 0, until_ms)
    action = Action.of("accredit", accreditation.Accredit(accreditation.NETWORK, *grant))
    bank, officers = key("officer0").address, ["officer0", "officer1"]
    steps = [
        ("north", schemas.Publish(OFFICE, "resident", 1, '{"type":"object"}', "[]")),
        (officers, governance.Propose(bank, action)),
        (officers, governance.Execute(1)),
        ("north", accreditation.Accredit(OFFICE, TAXES, "resident", 0, 0, until_ms)),
        ("north", status.CreateList(OFFICE, 1, status.Bits.TWO, 1_000)),
    ]
    for names, command in steps:
        assert world.do(names, command) == "", command


def use_identity(world: World, person: Person, hashed: bytes) -> None:
    """Have somebody's data vouched for, and used under a consent."""
    me = key(person.name)
    keys = (AccountKey(me.address, ALL_PURPOSES), AccountKey(key("guard").address, 2))
    index = person.number % 1_000
    until_ms = world.time_ms + 100 * MINUTE_MS
    allowed = consent.compute_id(me.address, hashed, world.network.digest)
    published = (documents.KeyBytes(1, me.public_key),)
    steps = [
        (["north"], evidence.Notarise(OFFICE, hashed, 0, (TAXES,))),
        (["south"], evidence.AddNote(OFFICE, hashed, TAXES, hashed)),
        ([person.name], accounts.Create(me.address, keys, 1)),
        ([person.name], did.Create(me.address, documents.Content((), (), ()), published)),
        ([person.name], consent.Give(me.address, TAXES, hashed, 0, until_ms, 0, 1)),
        (["south"], consent.Delegate(allowed, OFFICE, hashed, 0, until_ms, 1, 0)),
        (["south", "north"], consent.RecordExchange(allowed, OFFICE, hashed)),
        (["north"], status.Suspend(OFFICE, 1, (index,))),
        (["north"], wallets.Open(me.address, OFFICE, Category.IV)),
        (["north"], lift(world, person, hashed)),
    ]
    for names, command in steps:
        assert world.do(names, command) == "", command


def lift(world: World, person: Person, hashed: bytes) -> tiers.Raise:
    """Lift somebody's wallet by a credential whose issuer knows the person by the number."""
    subject = compute_pairwise_subject(SECRET, str(person.number), OFFICE)
    network = world.network
    nullifier = compute_nullifier(network.genesis_hash, subject, Category.II, network.digest)
    times = (world.time_ms + MINUTE_MS, world.time_ms + DAY_MS)
    wallet = key(person.name).address
    return tiers.Raise(wallet, OFFICE, Category.II, nullifier, hashed, *times)


def test_nothing_personal_stands_on_the_ledger():
    ledger = play(is_salted=True)
    assert len(ledger.kept) > 50_000
    assert OFFICE in ledger.kept
    assert find_taints(ledger) == []


def test_no_number_is_found_by_its_hash():
    ledger = play(is_salted=True)
    assert guess(ledger, list_around(ledger)) == set()


@pytest.mark.soak
def test_no_number_of_all_that_there_are_is_found_by_its_hash():
    assert guess(play(is_salted=True), NUMBERS) == set()


def test_numbers_that_were_not_salted_are_found():
    """Or the attack would prove nothing."""
    ledger = play(is_salted=False)
    assert guess(ledger, list_around(ledger)) == {person.number for person in ledger.people}


def test_what_stands_on_a_ledger_as_it_is_is_found():
    """Each form, wherever it begins."""
    person = make_people()[0]
    forms = [*list_forms(person.name), *list_number_forms(person.number)]
    forms += [base64.b64encode(b"." * shift + person.name.encode() + b"!") for shift in range(3)]
    for form in forms:
        assert find_taints(Ledger([person], b"..." + form + b"...")) == [person.name], form
