"""What a network has agreed on, as the command line prints it."""

from __future__ import annotations

from aiohttp import web
from tests.running import run_fake
from tests.world import key

from hansa.cli.main import main


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
