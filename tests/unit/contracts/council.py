"""A network of four validators and three officers, and how they decide."""

from __future__ import annotations

from tests.unit.contracts.harness import (
    Harness,
    make_address,
    make_genesis,
    make_key,
    make_member,
)

from hansa.contracts import currency, governance, members, policy
from hansa.contracts import nodes as contract_nodes
from hansa.contracts.actions import (
    Action,
    SuspendMember,
)
from hansa.contracts.governance import (
    Execute,
    Propose,
    Vote,
)
from hansa.contracts.members import Role
from hansa.contracts.proposals import (
    DEFAULT_RULES,
    Proposal,
    ProposalClass,
    Proposed,
    State,
)
from hansa.kernel.authority import ALL_PURPOSES, Purpose
from hansa.kernel.genesis import GenesisAsset, GenesisContract, GenesisNode

BANK = make_address("bank")
OPERATOR = make_address("operator")
VALIDATORS = ("north", "east", "south", "west")
OFFICERS = ("osk", "ida", "per")
LAWYER_KEY = make_key("bank", ALL_PURPOSES & ~Purpose.ISSUE, weight=2)
SOURCE, OTHER_SOURCE = bytes([1]) * 32, bytes([2]) * 32
LOCK_MS = DEFAULT_RULES[ProposalClass.MEMBERSHIP].time_lock_ms
VOTING_MS = DEFAULT_RULES[ProposalClass.MEMBERSHIP].voting_ms

SUSPEND = Action.of("suspend_member", SuspendMember(OPERATOR))
ISSUE = Action.of("issue", currency.Issue(OPERATOR, "XTS", 1_000))
REFUND_DAYS = "payments.refund_days"


def make_harness(*nodes: GenesisNode, **rules: tuple[int, ...]) -> Harness:
    """Make a network of four equal validators; the central bank has three officers, two suffice."""
    people = [
        make_member(
            "bank",
            Role.CENTRAL_BANK,
            keys=(LAWYER_KEY, *(make_key(officer, Purpose.ISSUE) for officer in OFFICERS)),
            threshold=2,
        ),
        make_member("operator", Role.OPERATOR),
        *(make_member(name, Role.VALIDATOR, weight=100) for name in VALIDATORS),
    ]
    genesis = make_genesis(
        people,
        policy={f"governance.{name}": values for name, values in rules.items()},
        assets=(GenesisAsset("XTS", "XTS", BANK, "m0"),),
        contracts=(GenesisContract("payments", 1, SOURCE), GenesisContract("currency", 1, SOURCE)),
        nodes=nodes,
    )
    contracts = (members, policy, governance, currency, contract_nodes)
    return Harness(genesis, *(contract.install for contract in contracts))


def propose(harness: Harness, action: Action, proposer: str = "north", *signers: str) -> int:
    command = Propose(make_address(proposer), action)
    events = harness.do(governance.propose, command, *(signers or (proposer,)))
    return next(event.number for event in events if isinstance(event, Proposed))


def vote(harness: Harness, number: int, *voters: str, approve: bool = True) -> None:
    for voter in voters:
        harness.do(governance.vote, Vote(number, make_address(voter), approve), voter)


def get(harness: Harness, number: int) -> Proposal:
    proposal = harness.get(Proposal, number)
    assert proposal is not None
    return proposal


def pass_lock(harness: Harness, number: int) -> None:
    harness.pass_time(get(harness, number).ready_ms - harness.time_ms)


def carry(harness: Harness, action: Action) -> int:
    """Carry a proposal with three of four validators and wait for the end of its lock."""
    number = propose(harness, action)
    for voter in VALIDATORS[1:]:
        if get(harness, number).state is State.OPEN:
            vote(harness, number, voter)
    pass_lock(harness, number)
    return number


def decide(harness: Harness, action: Action, signer: str = "anybody") -> list[object]:
    return list(harness.do(governance.execute, Execute(carry(harness, action)), signer))


def refuse_execute(harness: Harness, number: int, signer: str = "anybody") -> str:
    return harness.refuse(governance.execute, Execute(number), signer)
