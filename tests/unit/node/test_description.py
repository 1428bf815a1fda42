"""Reading the description of a network: from both formats, and what is said of a wrong one."""

from __future__ import annotations

import pytest

from hansa.kernel.errors import Invalid, NotFound
from hansa.node.description import (
    MUST_BE,
    AssetDescription,
    MemberDescription,
    NetworkDescription,
    read_description,
)


def test_descriptions_are_read_from_toml_and_json(tmp_path):
    toml = tmp_path / "city.toml"
    toml.write_text(
        'network = "city"\nhash = "sm3"\n[[members]]\nname = "Bank"\nroles = ["central_bank"]\n'
        'officers = 3\nthreshold = 2\nweight = 1\n[[assets]]\nasset = "CNY"\ncurrency = "CNY"\n'
        '[policy]\n"payments.refund_days" = [30]\n'
    )
    read = read_description(toml)
    assert (read.network, read.hash, read.members[0].officers) == ("city", "sm3", 3)
    assert read.policy == {"payments.refund_days": (30,)}
    json = tmp_path / "city.json"
    json.write_text('{"network": "city", "members": [{"name": "B", "roles": ["central_bank"]}]}')
    assert read_description(json).members[0].name == "B"


@pytest.mark.parametrize(
    "content",
    [
        b"\xff\xfe\x00",
        b"network = ",
        b"network = 7",
        b'network = ""',
        b'colour = "red"',
        b'[[members]]\nname = "B"\nroles = ["king"]',
        b'[[members]]\nname = "B"\nroles = ["central_bank"]\nofficers = -1',
        b'[[members]]\nname = "B"\nroles = ["central_bank"]\nofficers = 10000000000000000000000',
        b'[policy]\n"zone.offset_minutes" = [nan]',
        b"a = " + b"[" * 2_000,
    ],
)
def test_a_bad_description_is_invalid(tmp_path, content):
    file = tmp_path / "bad.toml"
    file.write_bytes(content)
    with pytest.raises(Invalid, match="describes no network"):
        read_description(file)


MEMBER = '[[members]]\nname = "B"\nroles = ["central_bank"]\n'


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("colour = 1", "colour: there is no such field; there are network, hash, suite, members"),
        (MEMBER + "age = 1", "members[0].age: there is no such field; there are name, roles"),
        ('[[assets]]\nasset = "A"\nunit = 1', "assets[0].unit: there is no such field; there are"),
        ('[[members]]\nname = "B"', "members[0].roles: is missing; it must be a list of"),
        ("network = 7", "network: must be a text of 1 to 64 characters"),
        ('hash = "md5"', "hash: must be sha256 or sm3"),
        ('suite = "rsa"', "suite: must be ed25519, p256 or secp256k1"),
        ("members = 5", "members: must be a list of members"),
        (
            MEMBER + MEMBER.replace("central_bank", "king"),
            "members[1].roles[0]: must be a list of central_bank, operator",
        ),
        (MEMBER + "officers = 17", "members[0].officers: must be a number from 1 to 16, or a list"),
        (MEMBER + "threshold = 0", "members[0].threshold: must be a whole number from 1 on"),
        (
            '[[assets]]\nasset = "A"\ncurrency = "EUR"\nexponent = 19',
            "assets[0].exponent: must be a number of digits from 0 to 18",
        ),
        ("policy = 1", "policy: must be lists of whole numbers by key"),
        (
            '[policy]\n"payments.refund_days" = [30]\n"zone.offset_minutes" = 1.5',
            'policy, "zone.offset_minutes": must be a list of whole numbers',
        ),
        ("network =", "it is no TOML: "),
        ("a = " + "[" * 2_000, "it is nested too deep"),
    ],
)
def test_it_is_said_what_is_wrong_where_and_what_to_do(tmp_path, content, words):
    file = tmp_path / "bad.toml"
    file.write_text(content)
    with pytest.raises(Invalid) as told:
        read_description(file)
    assert told.value.message.startswith(f"{file} describes no network: {words}")
    assert "correct the file, nothing was made" in told.value.message
    for foreign in ("Expected", "Object", "`", "$"):
        assert foreign not in told.value.message


def test_every_field_is_described():
    """Whoever adds a field says what belongs there."""
    named = {
        "": NetworkDescription,
        "members.": MemberDescription,
        "assets.": AssetDescription,
    }
    fields = {
        f"{prefix}{field}" for prefix, kind in named.items() for field in kind.__struct_fields__
    }
    assert {*MUST_BE} - {""} == fields


@pytest.mark.parametrize(("name", "content"), [("a.toml", ""), ("b.toml", "# "), ("c.json", "{}")])
def test_an_empty_one_is_told_what_it_must_hold(tmp_path, name, content):
    file = tmp_path / name
    file.write_text(content)
    with pytest.raises(Invalid, match="it is empty, and must say what the network is: its members"):
        read_description(file)


def test_a_missing_or_unreadable_description_is_told(tmp_path):
    with pytest.raises(NotFound):
        read_description(tmp_path / "none.toml")
    with pytest.raises(Invalid, match="is not a file"):
        read_description(tmp_path)


def test_a_wrong_json_is_told_as_such(tmp_path):
    file = tmp_path / "bad.json"
    file.write_bytes(b"\xff")
    with pytest.raises(Invalid, match="byte 1 is no text in UTF-8"):
        read_description(file)
    file.write_text("[]")
    with pytest.raises(Invalid, match="the file: must be named fields"):
        read_description(file)
    file.write_text("{")
    with pytest.raises(Invalid, match="it is no JSON: "):
        read_description(file)
