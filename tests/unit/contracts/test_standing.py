"""Who must still agree, and still be in office, when a proposal is carried out."""

from __future__ import annotations

import msgspec
import pytest
from tests.unit.contracts.council import (
    BANK,
    ISSUE,
    LAWYER_KEY,
    OPERATOR,
    SUSPEND,
    carry,
    get,
    make_harness,
    propose,
    refuse_execute,
    vote,
)
from tests.unit.contracts.harness import make_address, make_key

from hansa.contracts import accounts, currency, governance, policy
from hansa.contracts.actions import Action, AdmitMember
from hansa.contracts.governance import Execute, Propose
from hansa.contracts.members import Role
from hansa.contracts.proposals import DAY_MS, Code, Docket
from hansa.kernel.authority import Account, AuthorityCode, Purpose
from hansa.kernel.encoding import encode
from hansa.kernel.values import INT64_MAX


@pytest.mark.parametrize("keys", [(), (make_key("thief"),)])
def test_nobody_becomes_a_member_without_signing(keys):
    """Else two thirds of the validators could put their keys in place of a person's."""
    harness = make_harness()
    person = make_address("person")
    admission = AdmitMember(person, "person", (Role.OPERATOR,), 0, keys, 1)
    number = carry(harness, Action.of("admit_member", admission))
    assert refuse_execute(harness, number) == AuthorityCode.NOT_AUTHORIZED
    assert refuse_execute(harness, number, "thief") == AuthorityCode.NOT_AUTHORIZED
    assert harness.get(Account, person) is None
    harness.do(governance.execute, Execute(number), "person")


def replace_officers(harness, *names):
    keys = (LAWYER_KEY, *(make_key(name, Purpose.ISSUE) for name in names))
    command = accounts.SetKeys(BANK, keys, 2)
    harness.do(accounts.set_keys, command, "bank")


def test_an_officer_removed_since_makes_no_money():
    """A stolen key's approval ends with the key, though others' weights are those of then."""
    harness = make_harness()
    harness.do(currency.set_quota, currency.SetQuota(OPERATOR, "XTS", 10_000), "osk", "ida")
    number = propose(harness, ISSUE, "bank", "osk", "ida")
    replace_officers(harness, "ida", "per")
    assert refuse_execute(harness, number) == Code.NOT_CARRIED
    replace_officers(harness, "osk", "ida", "per")
    harness.do(governance.execute, Execute(number), "anybody")


def test_a_removed_officers_vote_carries_nothing():
    harness = make_harness()
    number = propose(harness, ISSUE, "bank", "osk")
    replace_officers(harness, "ida", "per")
    vote(harness, number, "ida")
    assert get(harness, number).state.value == "open"
    vote(harness, number, "per")
    assert get(harness, number).state.value == "passed"


def test_one_officer_cannot_use_up_the_others_room():
    """A stolen officer's key may fill its own docket, and nobody else's."""
    harness = make_harness()
    for _ in range(governance.PROPOSALS_MAX):
        propose(harness, ISSUE, "bank", "osk")
    full = Propose(BANK, ISSUE)
    assert harness.refuse(governance.propose, full, "osk") == Code.TOO_MANY_PROPOSALS
    number = propose(harness, ISSUE, "bank", "ida")
    vote(harness, number, "per")
    assert get(harness, number).state.value == "passed"
    suspension = propose(harness, SUSPEND, "bank")
    assert get(harness, suspension).proposer == BANK
    harness.pass_time(400 * DAY_MS)
    for swept in (1, number, suspension):
        harness.do(governance.sweep, governance.Sweep(swept), "anybody")
    assert harness.get(Docket, make_address("ida")) is None
    assert harness.get(Docket, BANK) is None
    assert len(harness.get(Docket, make_address("osk")).numbers) == governance.PROPOSALS_MAX - 1
    propose(harness, ISSUE, "bank", "osk")


def test_policy_leaves_every_member_enough_to_correct_it():
    """Without a floor, one slip would shut out the transactions that could undo it."""
    for values in ((0, 4, 4, 8), (65_536, 3, 4, 8), (65_536, 4, 0, 8), (65_536, 4, 4, 7)):
        fault = policy.find_fault("sponsor.quota", values)
        assert fault is policy.Code.VALUES_OUT_OF_RANGE
    assert policy.find_fault("sponsor.quota", (65_536, 4, 4, 8)) is None
    own = "sponsor.quota." + "0a" * 32
    assert policy.find_fault(own, (0, 0, 0, 0)) is policy.Code.VALUES_OUT_OF_RANGE
    assert policy.find_fault(own, (65_536, 4, 4, 8)) is None
    assert policy.find_fault("payments.refund_days", (0,)) is policy.Code.VALUES_OUT_OF_RANGE


def test_weights_of_keys_add_up_to_what_a_receipt_can_say():
    """Sixteen keys of the greatest weight each still fit into an event's integer."""
    heavy = make_key("heavy", weight=2**32)
    account = accounts.SetKeys(BANK, (heavy,) * 16, 1)
    raw = encode(account)
    assert msgspec.msgpack.decode(raw, type=accounts.SetKeys) == account
    assert sum(key.weight for key in account.keys) <= INT64_MAX
    heavier = encode(accounts.SetKeys(BANK, (make_key("heavier", weight=2**32 + 1),), 1))
    with pytest.raises(msgspec.ValidationError):
        msgspec.msgpack.decode(heavier, type=accounts.SetKeys)
