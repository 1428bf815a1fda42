"""What a network has agreed on, as the command line prints it."""

from __future__ import annotations

import json

import pytest
from aiohttp import web
from tests.running import run_fake
from tests.world import ASSET, key

from hansa.cli.main import main
from hansa.contracts.actions import AdmitMember, SetPolicy, SuspendMember
from hansa.contracts.activations import ActivateContract
from hansa.contracts.currency import Issue
from hansa.contracts.members import Role
from hansa.kernel.authority import AccountKey, Purpose
from hansa.kernel.encoding import encode
from hansa.sdk.arguments import parse_command


def test_two_members_of_one_name_are_two(capsys):
    """Names are for people; the ledger lets two members have the same."""
    facts = {"name": "Bank", "weight": 3, "is_suspended": False, "since_height": 0}
    addresses = [key(name).address_text for name in ("north", "south")]
    found = [{**facts, "address": address, "roles": ["operator"]} for address in addresses]

    async def members(_request):
        return web.json_response({"members": found})

    with run_fake(web.get("/v1/members", members)) as url:
        assert main(["network", "members", "--node", url]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == ["Bank", "Bank"]
    assert [line.rpartition(" ")[2] for line in lines] == addresses


def test_a_network_without_proposals_says_so(capsys):
    async def proposals(_request):
        return web.json_response({"proposals": []})

    with run_fake(web.get("/v1/proposals", proposals)) as url:
        assert main(["network", "proposals", "--node", url]) == 0
    assert capsys.readouterr().out == "There are no proposals yet.\n"


def _serve_proposal(kind, arguments):
    """Serve one proposal on which two members vote, and one key that is no member's."""
    north, south, officer = (key(name).address_text for name in ("north", "south", "officer0"))
    facts = {"roles": ["validator"], "weight": 1, "is_suspended": False, "since_height": 0}
    found = [
        {**facts, "address": north, "name": "North Bank"},
        {**facts, "address": south, "name": "South Bank"},
    ]
    electors = [
        {"address": address, "weight": 1, "approves": approves, "objects": False}
        for address, approves in ((north, True), (south, None), (officer, False))
    ]
    proposal = {
        "number": 1,
        "proposer": north,
        "group": "membership",
        "kind": kind,
        "arguments": arguments.hex(),
        "state": "open",
        **dict.fromkeys(("approved", "rejected", "objected"), 1),
        **dict.fromkeys(("needed", "total"), 3),
        **dict.fromkeys(("opened_ms", "closes_ms"), 1_800_000_000_000),
        **dict.fromkeys(("ready_ms", "expires_ms"), 0),
        "electors": electors,
    }

    async def members(_request):
        return web.json_response({"members": found})

    async def list_proposals(_request):
        return web.json_response({"proposals": [proposal], "next": None})

    async def get_proposal(_request):
        return web.json_response(proposal)

    return run_fake(
        web.get("/v1/members", members),
        web.get("/v1/proposals", list_proposals),
        web.get("/v1/proposals/1", get_proposal),
    )


def test_a_voter_reads_what_a_proposal_does_and_who_votes(capsys):
    raw = encode(SuspendMember(key("south").address))
    with _serve_proposal("suspend_member", raw) as url:
        assert main(["network", "proposal", "1", "--node", url]) == 0
        shown = capsys.readouterr().out
        assert main(["network", "proposals", "--node", url]) == 0
        listed = capsys.readouterr().out
        assert main(["network", "proposal", "1", "--node", url, "--json"]) == 0
        found = json.loads(capsys.readouterr().out)
        assert main(["network", "proposals", "--node", url, "--json"]) == 0
        assert json.loads(capsys.readouterr().out) == {"proposals": [found]}
    north, south, officer = (key(name).address_text for name in ("north", "south", "officer0"))
    lines = [line.strip() for line in shown.splitlines()]
    assert f"what       Suspend South Bank ({south})" in lines
    assert f"arguments  address: South Bank ({south})" in lines
    assert f"proposer   North Bank ({north})" in lines
    assert f"elector South Bank ({south}), weight 1, approves not voted, objects no" in lines
    assert f"elector {officer}, weight 1, approves no, objects no" in lines
    assert raw.hex() not in shown
    assert listed.split()[:4] == ["1", "Suspend", "South", "Bank"]
    assert found["what"] == f"Suspend South Bank ({south})"
    assert found["fields"] == {"address": south}
    assert found["arguments"] == raw.hex()
    assert found["proposer_name"] == "North Bank"
    assert [item["name"] for item in found["electors"]] == ["North Bank", "South Bank", None]


def _read_fields(capsys, kind, arguments):
    with _serve_proposal(kind, arguments) as url:
        assert main(["network", "proposal", "1", "--node", url, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    return found["what"], found["fields"]


def test_fields_of_a_proposal_stand_in_the_form_in_which_they_are_proposed(capsys):
    south, officer = key("south"), key("officer0")
    keys = (AccountKey(officer.address, Purpose.PAY | Purpose.VOTE, limit_minor=5),)
    admit = AdmitMember(south.address, "Later", (Role.OPERATOR,), 0, keys, 1)
    what, fields = _read_fields(capsys, "admit_member", encode(admit))
    assert what == "Admit Later as a member"
    shown = {"address": officer.address_text, "purposes": ["PAY", "VOTE"], "weight": "1"}
    assert fields["keys"] == [{**shown, "limit_minor": "5"}]
    assert (fields["roles"], fields["weight"]) == (["operator"], "0")
    propose = {"kind": "admit_member", "arguments": fields}
    again = parse_command("governance.propose", {"proposer": "00" * 32, "action": propose})
    assert bytes(again.action.arguments) == encode(admit)

    activate = ActivateContract("payments", 2, b"\x01" * 32, 900)
    _, fields = _read_fields(capsys, "activate_contract", encode(activate))
    assert fields["source_hash"] == "01" * 32, "no address, though as long as one"
    what, _ = _read_fields(capsys, "issue", encode(Issue(south.address, ASSET, 12_000)))
    assert what.startswith(f"Issue 12,000 minor units of {ASSET} into the vault of South Bank (")
    what, _ = _read_fields(capsys, "set_policy", encode(SetPolicy("zone.offset_minutes", 0, (60,))))
    assert what == "Set the policy zone.offset_minutes from 1970-01-01T00:00:00.000Z"


@pytest.mark.parametrize(
    ("kind", "raw"), [("later", b"\x90"), ("set_weight", b"\x90"), ("set_weight", b"\x91" * 5_000)]
)
def test_what_this_program_does_not_know_stands_as_it_came(capsys, kind, raw):
    assert _read_fields(capsys, kind, raw) == (kind, None)
    with _serve_proposal(kind, raw) as url:
        assert main(["network", "proposal", "1", "--node", url]) == 0
    assert raw.hex() in capsys.readouterr().out
