"""Receipts in words: everything that contracts can say has words, and they fit its fields."""

from __future__ import annotations

import importlib
import pkgutil
from enum import StrEnum
from string import Formatter

import msgspec
import pytest

import hansa.contracts
import hansa.kernel
from hansa.contracts.actions import ACTIONS
from hansa.contracts.payments import Hold, Posted, Transfer, Transferred
from hansa.kernel.contract import Delta
from hansa.kernel.encoding import encode
from hansa.node.api import codes, refusals
from hansa.node.console.text import words
from hansa.node.console.text.explain import (
    COMMAND_TYPES,
    EVENT_TYPES,
    Change,
    Code,
    Moment,
    Party,
    describe_action,
    describe_call,
    describe_event,
    describe_facts,
    find_moved,
)
from hansa.node.console.text.formatting import Money

ADA, BEN = bytes([1]) * 32, bytes([2]) * 32
SIDES = {"from", "to", "moved"}


def list_codes() -> set[str]:
    """List the codes of all refusals: members of enumerations, named `<contract>.<CODE>`."""
    found_codes = set()
    for package in (hansa.contracts, hansa.kernel):
        for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            for value in vars(importlib.import_module(found.name)).values():
                if isinstance(value, type) and issubclass(value, StrEnum):
                    found_codes |= {code.value for code in value if "." in code.value}
    return found_codes


def list_fields(template: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(template) if name}


def test_every_refusal_has_words_and_no_words_are_left_over():
    assert set(refusals.REFUSALS) == list_codes()
    typed = [code for code, text in refusals.REFUSALS.items() if "`" in text.means]
    assert typed == [], "the command line and receipts say these as they are"


def test_a_code_that_is_not_known_is_still_explained():
    assert codes.describe_refusal("later.NEW_RULE") == "A rule of the contract refused it."


@pytest.mark.parametrize(
    ("templates", "types"),
    [
        (words.COMMANDS, {".".join(name): each for name, each in COMMAND_TYPES.items()}),
        (words.EVENTS, {".".join(name): each for name, each in EVENT_TYPES.items()}),
        (words.ACTIONS, {name: kind.action for name, kind in ACTIONS.items()}),
    ],
    ids=["commands", "events", "actions"],
)
def test_everything_has_words_that_fit_its_fields(templates, types):
    assert set(templates) == set(types)
    unknown = {
        name: list_fields(template) - set(types[name].__struct_fields__) - SIDES
        for name, template in templates.items()
    }
    assert {name: fields for name, fields in unknown.items() if fields} == {}


def test_a_payment_in_words():
    deltas = (
        Delta("wallet", ADA, "MOP", -250, 750, 0),
        Delta("wallet", BEN, "MOP", 250, 1_250, 0),
    )
    fields = msgspec.msgpack.decode(encode(Transferred(deltas, "rent", b"")))
    assert describe_event("payments", "Transferred", fields) == (
        Money(250, "MOP"),
        " moved from ",
        Party(ADA),
        " to ",
        Party(BEN),
        ", reference ",
        Code("rent"),
        ".",
    )


def test_an_event_with_other_fields_than_today_is_named_only():
    assert describe_event("payments", "Transferred", [[]]) == ("payments: Transferred.",)
    assert describe_event("later", "Done", [[], 1]) == ("later: Done.",)


def test_amounts_of_an_event_without_an_asset_are_those_of_its_changes():
    deltas = (Delta("held", ADA, "MOP", -50, 0, 7), Delta("wallet", BEN, "MOP", 50, 50, 0))
    fields = msgspec.msgpack.decode(encode(Posted(deltas, ADA, "table", 50)))
    assert Money(50, "MOP") in describe_event("payments", "Posted", fields)


def test_what_was_asked_in_words():
    command = encode(Hold(ADA, BEN, "MOP", 5, "room", 1_000))
    sentence = describe_call("payments", "hold", command)
    assert {Money(5, "MOP"), Moment(1_000), Party(BEN)} <= set(sentence)
    assert describe_call("payments", "hold", b"\xc1") == ("Call hold of the contract payments",)
    assert describe_call("later", "do", command) == ("Call do of the contract later",)


def test_an_amount_takes_its_asset_from_the_payment_that_it_is_about():
    command = encode([ADA, "table", 5])
    assert Money(5, "EUR") in describe_call("payments", "post", command, "EUR")
    assert Money(5, "MOP") in describe_call(
        "payments", "transfer", encode(Transfer(ADA, BEN, "MOP", 5, "x")), "EUR"
    )


def test_an_action_that_is_not_known_is_named_only():
    assert describe_action("later", b"\x90") == ("later",)


def test_facts_have_names_and_units():
    facts = describe_facts(
        [
            ("single_max_minor", 200_000),
            ("account", ADA.hex()),
            ("ready_ms", 5),
            ("weight", 1_000),
            ("something_new", "text"),
        ],
        "MOP",
    )
    assert [(fact.name, fact.value) for fact in facts] == [
        ("Most in one payment", Money(200_000, "MOP")),
        ("Account", Party(ADA)),
        ("Can be carried out from", Moment(5)),
        ("Weight of the keys that signed", Code("1,000")),
        ("Something new", Code("text")),
    ]


def test_what_moved_is_the_largest_amount_that_arrived():
    changes = [Change("wallet", ADA, "MOP", 18, 18, 0), Change("wallet", BEN, "MOP", 32, 32, 0)]
    assert find_moved(changes) == Money(32, "MOP")
    assert find_moved([]) is None


def test_what_governance_carries_out_is_told_in_the_words_of_its_own_contract():
    scheduled = describe_event(
        "governance", "PolicyScheduled", [[], "payments.refund_days", 7, [1]]
    )
    assert scheduled[0] == "The policy "
    assert describe_event("governance", "Swept", [[], 4])[0] == "The ended proposal "
