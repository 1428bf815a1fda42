"""Any contract's command can be written as JSON, and what is wrong is said by field."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.world import ASSET, key

from hansa.contracts import accounts, currency, governance, payments, wallets
from hansa.contracts.actions import ACTIONS, Action, AdmitMember
from hansa.contracts.identity import did, documents
from hansa.contracts.members import Role
from hansa.contracts.risk.in_force import Basis
from hansa.kernel.authority import AccountKey, Purpose
from hansa.kernel.encoding import encode
from hansa.kernel.errors import Invalid, InvalidCode
from hansa.sdk.arguments import (
    COMMANDS,
    describe_action,
    describe_command,
    is_address,
    parse_command,
    parse_json,
)

ADA, BEN = key("ada"), key("ben")
PAY = {
    "payer": ADA.address_text,
    "payee": BEN.address_text,
    "asset": ASSET,
    "amount_minor": "1250",
    "end_to_end_id": "x",
}


def test_a_payment():
    command = parse_command("payments.transfer", PAY)
    assert command == payments.Transfer(ADA.address, BEN.address, ASSET, 1250, "x")
    upper = {**PAY, "payer": ADA.address_text.upper(), "amount_minor": 1250}
    assert parse_command("payments.transfer", upper) == command
    assert parse_command("payments.transfer", {**PAY, "payer": ADA.address.hex()}) == command


def test_choices_by_name_or_value():
    fields = {"wallet": ADA.address_text, "operator": BEN.address_text}
    expected = wallets.Open(ADA.address, BEN.address, wallets.Category.IV)
    for category in ("IV", 4, "4"):
        assert parse_command("wallets.open", {**fields, "category": category}) == expected
    asset = {"asset": "X", "currency": "MOP", "issuer": ADA.address_text, "exponent": "2"}
    defined = parse_command("currency.define", {**asset, "regime": "deposit"})
    assert defined == currency.Define("X", "MOP", ADA.address, currency.Regime.DEPOSIT, 2)


def test_a_document_with_kinds_and_relationships_by_name():
    method = {"name": "cipher", "kind": "X25519", "public_key": "09" * 32}
    method["relationships"] = ["KEY_AGREEMENT"]
    delegate = {"address": BEN.address_text, "relationships": ["AUTHENTICATION", "ASSERTION"]}
    content = {"methods": [method], "delegates": [{**delegate, "until_ms": "7"}]}
    fields = {"address": ADA.address_text, "content": content, "keys": []}
    made = documents.Content(
        (documents.Method("cipher", documents.Kind.X25519, b"\x09" * 32, 4),),
        (),
        (documents.Delegate(BEN.address, 3, 7),),
    )
    assert parse_command("identity.create", fields) == did.Create(ADA.address, made, ())
    delegate["relationships"] = ["ALL"]
    with pytest.raises(Invalid, match="from 1 to 3"):
        parse_command("identity.create", fields | {"content": content | {"delegates": [delegate]}})


def test_keys_with_purposes_by_name():
    keys = [
        {"address": ADA.address_text, "purposes": ["PAY", "MANAGE"]},
        {"address": BEN.address_text, "purposes": ["ALL"], "weight": "2", "limit_minor": "500"},
        {"address": BEN.address_text, "purposes": "4"},
    ]
    fields = {"address": ADA.address_text, "keys": keys, "threshold": 1}
    assert parse_command("accounts.create", fields) == accounts.Create(
        ADA.address,
        (
            AccountKey(ADA.address, int(Purpose.PAY | Purpose.MANAGE)),
            AccountKey(BEN.address, 1023, 2, 500),
            AccountKey(BEN.address, int(Purpose.SPONSOR)),
        ),
        1,
    )


def test_a_proposal_to_admit_a_member():
    arguments = {
        "address": BEN.address_text,
        "name": "Ben's Bank",
        "roles": ["operator"],
        "weight": "0",
        "keys": [],
        "threshold": "1",
    }
    action = {"kind": "admit_member", "arguments": arguments}
    found = parse_command("governance.propose", {"proposer": ADA.address_text, "action": action})
    admit = AdmitMember(BEN.address, "Ben's Bank", (Role.OPERATOR,), 0, (), 1)
    expected = governance.Propose(ADA.address, Action.of("admit_member", admit))
    assert encode(found) == encode(expected)


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("amount_minor", "0", "from 1 to"),
        ("amount_minor", "-5", "from 1 to"),
        ("amount_minor", "12.5", "decimal text"),
        ("amount_minor", 12.5, "decimal text"),
        ("amount_minor", "1e3", "decimal text"),
        ("amount_minor", "", "decimal text"),
        ("amount_minor", "٣", "decimal text"),
        ("amount_minor", True, "decimal text"),
        ("amount_minor", None, "decimal text"),
        ("amount_minor", str(2**63), "from 1 to"),
        ("amount_minor", "9" * 5_000, "from 1 to"),
        ("payer", "hansa1" + "q" * 58, "checksum"),
        ("payer", "zz", "neither an address nor"),
        ("payer", "00", "has 1 bytes, must have 32"),
        ("payer", 7, "must be text"),
        ("end_to_end_id", "", "1 to 35"),
        ("end_to_end_id", "x" * 36, "36 characters"),
        ("end_to_end_id", 7, "must be text"),
        ("asset", ["MOP"], "must be text"),
        ("asset", "\ud800", "must be text"),
        ("colour", "red", "no such field"),
    ],
)
def test_what_is_wrong_is_said_by_field(field, value, words):
    with pytest.raises(Invalid, match=words) as error:
        parse_command("payments.transfer", {**PAY, field: value})
    assert field in error.value.message
    is_amount = field == "amount_minor"
    assert error.value.code is (InvalidCode.AMOUNT if is_amount else InvalidCode.ARGUMENTS)


def test_missing_fields_and_unknown_names():
    with pytest.raises(Invalid, match="payee: is missing"):
        parse_command("payments.transfer", {"payer": ADA.address_text})
    with pytest.raises(Invalid, match=r"use one of payments\.transfer"):
        parse_command("payments.steal", {})
    with pytest.raises(Invalid, match="must be an object"):
        parse_command("payments.transfer", [])
    keys = [{"address": ADA.address_text, "purposes": ["STEAL"]}]
    fields = {"address": ADA.address_text, "keys": keys, "threshold": 1}
    with pytest.raises(Invalid, match="none of PAY"):
        parse_command("accounts.create", fields)
    fields = {"number": "1", "voter": ADA.address_text, "approve": "yes"}
    with pytest.raises(Invalid, match="true or false"):
        parse_command("governance.vote", fields)


@pytest.mark.parametrize(
    "action", [{}, {"kind": "steal", "arguments": {}}, {"kind": 7, "arguments": {}}, "x", None]
)
def test_actions_that_are_none(action):
    with pytest.raises(Invalid):
        parse_command("governance.propose", {"proposer": ADA.address_text, "action": action})


@pytest.mark.parametrize(
    "text",
    ["", "{", "nope", '{"a": NaN}', '{"a": 1, "a": 2}', "[" * 100_000, '{"a": 1' + "0" * 9_999],
)
def test_what_is_no_json(text):
    with pytest.raises(Invalid, match="no JSON"):
        parse_json(text)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=70),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner),
    max_leaves=8,
)


@given(st.data())
def test_no_input_leaks_another_exception(data):
    name = data.draw(st.sampled_from(sorted(COMMANDS)))
    fields = data.draw(
        st.fixed_dictionaries({}, optional=dict.fromkeys(describe_command(name), JSON))
    )
    try:
        command = parse_command(name, fields)
    except Invalid:
        return
    assert json.dumps(describe_command(name))
    assert encode(command)


def test_every_command_and_action_describes_its_fields():
    for name in COMMANDS:
        assert all(describe_command(name).values())
    for kind in ACTIONS:
        assert all(describe_action(kind).values())
    with pytest.raises(Invalid):
        describe_action("steal")
    with pytest.raises(Invalid):
        describe_command("payments.steal")


def test_hashes_and_addresses_are_told_apart_by_the_names_of_their_fields():
    """In all commands; the type of either tells no more than its length."""
    told = {"Address": set(), "Hash": set()}
    kinds = [*COMMANDS.values(), *(each.action for each in ACTIONS.values()), Basis]
    for kind in kinds:
        for name, written in kind.__annotations__.items():
            if written in told:
                told[written].add(name)
    assert {name for name in told["Address"] if not is_address(name, bytes(32))} == set()
    assert {name for name in told["Hash"] if is_address(name, bytes(32))} == set()
    assert {"policy", "model", "evidence_hash"} <= told["Hash"]
