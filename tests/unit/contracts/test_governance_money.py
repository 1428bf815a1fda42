"""Governance of money: the officers of the central bank decide, each within its key's limit."""

from __future__ import annotations

import msgspec
from tests.unit.contracts.council import (
    BANK,
    ISSUE,
    LAWYER_KEY,
    OPERATOR,
    get,
    make_harness,
    propose,
    refuse_execute,
    vote,
)
from tests.unit.contracts.harness import (
    make_address,
    make_key,
)

from hansa.contracts import accounts, currency, governance
from hansa.contracts.actions import (
    Action,
)
from hansa.contracts.governance import (
    Execute,
    Propose,
    Vote,
)
from hansa.contracts.proposals import (
    DAY_MS,
    Code,
    State,
)
from hansa.kernel.authority import ALL_PURPOSES, AccountKey, AuthorityCode


def test_money_is_decided_by_the_officers_alone() -> None:
    harness = make_harness()
    quota = Action.of("set_quota", currency.SetQuota(OPERATOR, "XTS", 5_000))
    number = propose(harness, quota, "bank", "osk", "ida")
    harness.do(governance.execute, Execute(number), "anybody")
    number = propose(harness, ISSUE, "bank", "osk")
    assert [item.weight for item in get(harness, number).electors] == [1, 1, 1]
    for outsider in ("north", "bank"):
        command = Vote(number, make_address(outsider), approve=True)
        assert harness.refuse(governance.vote, command, outsider) == Code.NOT_ELECTOR
    unsigned = Vote(number, make_address("ida"), approve=True)
    assert harness.refuse(governance.vote, unsigned, "per") == Code.NOT_ELECTOR
    vote(harness, number, "ida")
    events = harness.do(governance.execute, Execute(number), "anybody")
    assert isinstance(events[0], currency.Issued)
    assert currency.get_vault(harness.view, OPERATOR, "XTS").balance_minor == 1_000


def test_officers_who_leave_vote_no_more_and_a_raised_threshold_counts() -> None:
    harness = make_harness()
    number = propose(harness, ISSUE, "bank", "osk")
    passed = propose(harness, ISSUE, "bank", "osk", "ida")
    keys = (LAWYER_KEY, *(make_key(name, ALL_PURPOSES) for name in ("osk", "per")))
    change = accounts.SetKeys(BANK, keys, 3)
    harness.do(accounts.set_keys, change, "bank", "osk", "per")
    command = Vote(number, make_address("ida"), approve=True)
    assert harness.refuse(governance.vote, command, "ida") == Code.NOT_ELECTOR
    assert refuse_execute(harness, passed) == Code.NOT_CARRIED
    vote(harness, number, "per")
    assert get(harness, number).state is State.OPEN


def test_a_keys_limit_holds_for_votes_on_money_too() -> None:
    """A vote must not create what the same keys may not create by signing together."""
    harness = make_harness()
    number = propose(harness, ISSUE, "bank", "osk")
    passed = propose(harness, ISSUE, "bank", "osk", "ida")
    osk, ida, per = (
        AccountKey(make_address(name), ALL_PURPOSES, 1, limit)
        for name, limit in (("osk", 999), ("ida", 999), ("per", 1_000))
    )
    change = accounts.SetKeys(BANK, (LAWYER_KEY, osk, ida, per), 2)
    harness.do(accounts.set_keys, change, "bank", "osk", "per")
    assert refuse_execute(harness, passed) == Code.NOT_CARRIED
    command = Vote(number, make_address("ida"), approve=True)
    assert harness.refuse(governance.vote, command, "ida") == AuthorityCode.OVER_KEY_LIMIT
    vote(harness, number, "per")
    assert get(harness, number).state is State.OPEN  # osk approved it, and may no longer
    made = Propose(BANK, ISSUE)
    assert harness.refuse(governance.propose, made, "osk", "ida") == AuthorityCode.OVER_KEY_LIMIT
    assert harness.refuse(governance.propose, made, "anybody") == Code.NOT_PROPOSER
    small = Action.of("issue", currency.Issue(OPERATOR, "XTS", 999))
    assert get(harness, propose(harness, small, "bank", "osk", "ida")).state is State.PASSED


def test_an_officers_approval_counts_for_no_more_than_its_weight_now() -> None:
    harness = make_harness(monetary=(1, 1, DAY_MS, 7 * DAY_MS))
    number = propose(harness, ISSUE, "bank", "osk", "ida")
    keys = [make_key(name, ALL_PURPOSES) for name in ("osk", "ida", "per")]
    heavy = msgspec.structs.replace(keys[0], weight=2)
    harness.do(accounts.set_keys, accounts.SetKeys(BANK, (LAWYER_KEY, heavy), 2), "bank", "per")
    alone = propose(harness, ISSUE, "bank", "osk")
    assert get(harness, alone).state is State.PASSED
    harness.do(accounts.set_keys, accounts.SetKeys(BANK, (LAWYER_KEY, *keys), 2), "bank", "osk")
    harness.pass_time(DAY_MS)
    assert refuse_execute(harness, alone) == Code.NOT_CARRIED
    assert refuse_execute(harness, number) == currency.Code.OVER_QUOTA  # both count again
