"""A ledger with an office that issues, as a vector's steps tell what happened on it."""

from __future__ import annotations

import json
from functools import cache

import msgspec
from tests.unit.contracts.harness import DAY_MS, START_MS, Harness, make_genesis, make_member

from hansa.contracts import accounts, members
from hansa.contracts.identity import accreditation, did, evidence, schemas, status
from hansa.contracts.identity.accreditation import NETWORK, Accredit, Reason
from hansa.contracts.identity.documents import EMPTY, KeyBytes
from hansa.identity.keys.kinds import KeyKind
from hansa.identity.keys.signing import load_private_key
from hansa.identity.methods.hansa import write_did
from hansa.identity.naming import ListName, write_list_url, write_type
from hansa.identity.verifier.ledger import LedgerRegistry
from hansa.kernel.authority import ALL_PURPOSES, AccountKey
from hansa.kernel.crypto.address import address_of, to_text
from hansa.kernel.crypto.hashing import ZERO_HASH, crypto_profile

NOW_MS = START_MS + 10 * DAY_MS
ISSUER = load_private_key(KeyKind.ED25519, b"\x51" * 32)
NEXT = load_private_key(KeyKind.ED25519, b"\x52" * 32)
OFFICE, SUCCESSOR = (
    address_of(1, key.public_key.data, crypto_profile("sha256").digest) for key in (ISSUER, NEXT)
)
DID = write_did("test", OFFICE)
KID = f"{DID}#{to_text(OFFICE)}"
TYPE = write_type("test", "resident")
LIST = write_list_url("https://office.example", ListName(OFFICE, 3))
ACCREDITED = [["accredit", START_MS, START_MS + 100 * DAY_MS]]
"""What happens in nearly all vectors, before anything else: for a hundred days from the start."""


class Town:
    """What has happened on a ledger; each step is a list, its name first."""

    def __init__(self) -> None:
        people = [make_member("bank", "central_bank", "validator", weight=1)]
        office = make_member("office", "department", keys=[AccountKey(OFFICE, ALL_PURPOSES)])
        people.append(msgspec.structs.replace(office, address=OFFICE))
        self._ledger = Harness(make_genesis(people), members.install)
        self._do(did.create, did.Create(OFFICE, EMPTY, (KeyBytes(1, ISSUER.public_key.data),)))
        self._do(schemas.publish, schemas.Publish(OFFICE, "resident", 1, "{}", "[]"))
        self._do(status.create_list, status.CreateList(OFFICE, 3, status.Bits(2), 100))

    def take(self, name: str, *arguments) -> None:
        """Take one step."""
        getattr(self, f"_{name}")(*arguments)

    def open_registry(self, time_ms: int) -> LedgerRegistry:
        """Open what a verifier asks, at a time."""
        self._at(time_ms)
        self._ledger.view.begin()
        return LedgerRegistry(self._ledger.view, "test", lambda: time_ms)

    def _at(self, time_ms: int) -> None:
        """Let time pass until then."""
        self._ledger.pass_time(time_ms - self._ledger.time_ms)

    def _accredit(self, from_ms: int, until_ms: int) -> None:
        command = Accredit(NETWORK, OFFICE, "resident", 1, from_ms, until_ms)
        self._do(accreditation.accredit_approved, command)

    def _suspend_accreditation(self) -> None:
        self._judge(accreditation.Suspend, Reason.BREACH)

    def _revoke_accreditation(self) -> None:
        self._judge(accreditation.Revoke, Reason.BREACH)

    def _reinstate_accreditation(self) -> None:
        self._judge(accreditation.Reinstate, Reason.CLEARED)

    def _revoke(self, index: int) -> None:
        self._do(status.change, status.Revoke(OFFICE, 3, (index,)))

    def _suspend(self, index: int) -> None:
        self._do(status.change, status.Suspend(OFFICE, 3, (index,)))

    def _anchor(self, digest: str) -> None:
        self._do(evidence.notarise, evidence.Notarise(OFFICE, bytes.fromhex(digest), 1, ()))

    def _rotate(self) -> None:
        """Put another key in the place of the office's."""
        command = accounts.Rotate(OFFICE, OFFICE, SUCCESSOR)
        self._ledger.do(accounts.rotate, command, OFFICE, SUCCESSOR)
        self._do(did.publish_keys, did.PublishKeys((KeyBytes(1, NEXT.public_key.data),)))

    def _judge(self, command, reason: Reason) -> None:
        judgement = command(NETWORK, OFFICE, "resident", reason, ZERO_HASH)
        self._do(accreditation.judge_approved, judgement)

    def _do(self, function, command) -> None:
        self._ledger.do(function, command, OFFICE)


@cache
def _build(steps: str) -> Town:
    town = Town()
    for step in json.loads(steps):
        town.take(*step)
    return town


def open_ledger(steps: list, time_ms: int) -> LedgerRegistry:
    """Open what a verifier asks of a ledger on which these steps were taken."""
    return _build(json.dumps([*steps, ["at", time_ms]])).open_registry(time_ms)
