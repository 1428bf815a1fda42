"""The pages about reconciliation as a client gets them: what they show, and to whom."""

from __future__ import annotations

import asyncio
import re
from html import unescape

import pytest
from aiohttp.test_utils import TestClient, TestServer
from tests.browser.reconciling import list_pages, make_reconciled, write_rules
from tests.paired import Paired, running
from tests.world import key

from hansa.kernel.crypto.address import to_text
from hansa.node.api.keys import KeyRing, add_key
from hansa.node.api.rights import Role
from hansa.node.service import wall_clock_ms
from hansa.node.serving.app import create_app
from hansa.node.settings import Access, Limits, LoopbackReads, Settings

LIMITS = Limits(known_per_s=0, anyone_per_s=0)
OPEN = Settings(access=Access(loopback=LoopbackReads.EVERYTHING), limits=LIMITS)
CLOSED = Settings(limits=LIMITS)


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """All pages, in words and as they came, and what several callers are answered."""
    keys_path = tmp_path_factory.mktemp("keys") / "api-keys.json"
    tokens = {
        name: add_key(
            keys_path,
            name=name,
            role=role,
            now_ms=wall_clock_ms(),
            member=to_text(key(member).address),
        )[1]
        for name, role, member in (
            ("own", Role.OPERATOR, "north"),
            ("other", Role.OPERATOR, "south"),
            ("regulator", Role.REGULATOR, "regulator"),
        )
    }
    pages, answers = {}, {}

    async def run():
        async with running(Paired(write_rules("Nostro"))) as paired:
            made = await make_reconciled(paired)
            own = f"/reconciliation/{made.agreement.hex()}"
            paths = {route.rpartition("/")[2]: path for route, path in list_pages(made).items()}
            paths["asked"] = f"/reconciliation/{made.asked.hex()}"
            for name, path in paths.items():
                pages[name] = (await fetch(paired, OPEN, path))[1]
            for path in (own, own[:-2], f"{own[:-2]}00", "/reconciliation/x"):
                answers["anyone", path[-8:]] = await fetch(paired, CLOSED, path)
                for name, token in tokens.items():
                    answers[name, path[-8:]] = await fetch(
                        paired, CLOSED, path, KeyRing(keys_path), token
                    )
            answers["absent"] = await fetch(paired, OPEN, "/reconciliation", is_absent=True)
            return made

    return asyncio.run(run()), pages, answers


async def fetch(paired, settings, path, keys=None, token="", *, is_absent=False):
    """Get a page of the first bank's console."""
    pairs = None if is_absent else paired.services[0]
    app = create_app(paired.node, settings, keys, pairs=pairs)
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    async with TestClient(TestServer(app)) as client:
        response = await client.get(path, headers=headers)
        return response.status, await response.text()


def read(page: str) -> str:
    """Read the words of a page."""
    main = page[page.index("<main") : page.index("</main>")]
    return re.sub(r"\s+", " ", unescape(re.sub("<[^>]+>", " ", main)))


def test_pages_load_and_run_nothing_of_their_own(site):
    for page in site[1].values():
        assert " style=" not in page
        assert "<style" not in page
        assert page.count("<script") == 2


def test_each_agreement_stands_in_a_line(site):
    text = read(site[1]["reconciliation"])
    assert "south Nostro in force 2 2 0 5" in text
    assert "south Co-lending waits to be accepted here 0 0 0 0" in text


def test_windows_tell_what_matched_and_who_stated_it(site):
    text = read(site[1]["{agreement}"])
    assert "Windows agreed 2 of 2 closed" in text
    assert re.search(r"1 \d{4}-\d\d-\d\d 25 23 87.5 % 6 agreed stated by both [0-9a-f]", text)
    assert re.search(r" 0 \d{4}-\d\d-\d\d 47 45 92.4 % explained in window 0 7 agreed ", text)
    assert "5 6 0 1 244.34 MOP" in text


def test_what_the_other_bank_proposes_comes_with_the_command_that_accepts_it(site):
    made, pages, _ = site
    assert f"hansa pair accept {made.asked.hex()}" in read(pages["asked"])


def test_none_but_the_banks_own_keys_see_what_it_reconciles(site):
    made, _, answers = site
    own = made.agreement.hex()[-8:]
    statuses = {name: answers[name, own][0] for name in ("anyone", "own", "other", "regulator")}
    assert statuses == {"anyone": 401, "own": 200, "other": 403, "regulator": 403}
    assert not any("Nostro" in answers[name, own][1] for name in ("anyone", "other", "regulator"))


def test_what_names_no_agreement_is_told(site):
    statuses = [status for (name, *_), (status, _) in site[2].items() if name == "own"]
    assert sorted(statuses) == [200, 400, 400, 404]


def test_a_node_that_does_not_reconcile_says_how_to_begin(site):
    status, page = site[2]["absent"]
    assert status == 200
    assert "[reconciliation]" in read(page)
