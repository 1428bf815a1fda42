"""Activations: a version comes into force once two thirds of the power report its code."""

from __future__ import annotations

import msgspec
from tests.unit.contracts.harness import Harness, make_address, make_genesis, make_member

from hansa.contracts import governance, members
from hansa.contracts.actions import Action, ActivateContract
from hansa.contracts.activations import (
    CONTRACTS_MAX,
    PENDING_MAX,
    Activation,
    CodeReport,
    CodeReports,
    ReportCode,
)
from hansa.contracts.governance import Execute, Propose, Sweep, Vote
from hansa.contracts.members import Role
from hansa.contracts.proposals import Code, Passed, Proposed
from hansa.kernel.genesis import GenesisContract

VALIDATORS = ("north", "east", "south", "west")
SOURCE, OTHER_SOURCE = bytes([1]) * 32, bytes([2]) * 32


def make_harness() -> Harness:
    people = [
        make_member("bank", Role.CENTRAL_BANK),
        *(make_member(name, Role.VALIDATOR, weight=100) for name in VALIDATORS),
    ]
    names = ("payments", "currency")
    contracts = tuple(GenesisContract(name, 1, SOURCE) for name in names)
    genesis = make_genesis(people, contracts=contracts)
    return Harness(genesis, members.install, governance.install)


def carry(harness: Harness, action: Action) -> int:
    """Carry a proposal with three of four validators and wait for the end of its lock."""
    made, *_ = harness.do(governance.propose, Propose(make_address("north"), action), "north")
    assert isinstance(made, Proposed)
    for name in ("east", "south"):
        command = Vote(made.number, make_address(name), approve=True)
        events = harness.do(governance.vote, command, name)
    assert isinstance(events[-1], Passed)
    harness.pass_time(events[-1].ready_ms - harness.time_ms)
    return made.number


def refuse_execute(harness: Harness, number: int) -> str:
    return harness.refuse(governance.execute, Execute(number), "anybody")


def test_a_contract_is_activated_once_two_thirds_report_its_code() -> None:
    harness = make_harness()
    contract = ActivateContract("payments", 2, OTHER_SOURCE, 1_000)
    number = carry(harness, Action.of("activate_contract", contract))
    for name in ("north", "east"):
        report = ReportCode(make_address(name), "payments", 2, OTHER_SOURCE)
        harness.do(governance.report_code, report, name)
    wrong = ReportCode(make_address("south"), "payments", 2, SOURCE)
    harness.do(governance.report_code, wrong, "south")
    assert refuse_execute(harness, number) == Code.CODE_NOT_REPORTED
    right = msgspec.structs.replace(wrong, source_hash=OTHER_SOURCE)
    harness.do(governance.report_code, right, "south")
    harness.do(governance.execute, Execute(number), "anybody")
    activations = governance.get_activations(harness.view)
    assert activations is not None
    assert activations.entries == (
        Activation("currency", 1, SOURCE, 0),
        Activation("payments", 1, SOURCE, 0),
        Activation("payments", 2, OTHER_SOURCE, 1_000),
    )


def _report_all(harness: Harness, version: int, contract: str = "payments") -> None:
    for name in VALIDATORS:
        report = ReportCode(make_address(name), contract, version, SOURCE)
        harness.do(governance.report_code, report, name)


def _activate(harness: Harness, version: int, from_height: int, contract: str = "payments") -> int:
    command = ActivateContract(contract, version, SOURCE, from_height)
    return carry(harness, Action.of("activate_contract", command))


def test_versions_only_move_forward_and_old_ones_are_dropped() -> None:
    harness = make_harness()
    for version, from_height in ((2, 1_000), (3, 2_000)):
        _report_all(harness, version)
        number = _activate(harness, version, from_height)
        harness.do(governance.execute, Execute(number), "anybody")
    for version, from_height in ((3, 3_000), (4, 2_000)):
        _report_all(harness, version)
        number = _activate(harness, version, from_height)
        assert refuse_execute(harness, number) == Code.VERSION_NOT_NEWER
    harness.height = 2_500
    _report_all(harness, 4)
    number = _activate(harness, 4, 3_000)
    harness.do(governance.execute, Execute(number), "anybody")
    activations = governance.get_activations(harness.view)
    assert activations is not None
    kept = [entry.version for entry in activations.entries if entry.contract == "payments"]
    assert kept == [3, 4]
    number = _activate(harness, 5, harness.height)
    assert refuse_execute(harness, number) == Code.HEIGHT_NOT_AHEAD


def test_activations_and_reports_are_bounded() -> None:
    harness = make_harness()
    for version in range(2, 2 + PENDING_MAX):
        _report_all(harness, version)
        number = _activate(harness, version, 10_000 + version)
        harness.do(governance.execute, Execute(number), "anybody")
    number = _activate(harness, 9, 20_000)
    assert refuse_execute(harness, number) == Code.TOO_MANY_CONTRACTS
    entries = tuple(CodeReport(f"c{n:02}", 1, SOURCE) for n in range(CONTRACTS_MAX))
    full = CodeReports(make_address("north"), entries)
    harness.do(lambda view, *_: view.put(full) or [], Sweep(1))
    more = ReportCode(make_address("north"), "more", 1, SOURCE)
    assert harness.refuse(governance.report_code, more, "north") == Code.TOO_MANY_CONTRACTS
