"""The pages about reconciliation as a client gets them: what they show, and to whom."""

from __future__ import annotations

import asyncio
import re
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from html import unescape

import pytest
from aiohttp.test_utils import TestClient, TestServer
from tests.browser.reconciling import (
    MARKUP,
    NOTARISED,
    WORDS,
    Reconciled,
    list_pages,
    make_reconciled,
    submit,
    write_rules,
)
from tests.paired import Paired, running
from tests.world import key

from hansa.contracts.reconciliation import cases
from hansa.kernel.crypto.address import to_text
from hansa.node.api.keys import KeyRing, add_key
from hansa.node.api.rights import Role
from hansa.node.service import wall_clock_ms
from hansa.node.serving.app import create_app
from hansa.node.settings import Access, Limits, LoopbackReads, Settings

LIMITS = Limits(known_per_s=0, anyone_per_s=0)
OPEN = Settings(access=Access(loopback=LoopbackReads.EVERYTHING), limits=LIMITS)
CLOSED = Settings(limits=LIMITS)


MANIFESTS = "/reconciliation/manifests"
ON_RECORD = f"{MANIFESTS}?notary={to_text(key('north').address)}&hash={NOTARISED.hex()}"


@dataclass
class Site:
    """What the console of a bank answered."""

    made: Reconciled
    alone: str = ""
    """Path of a break without a case."""
    pages: dict[str, str] = field(default_factory=dict)
    """By path, as the first bank sees it; of the other one behind `other `."""
    updates: list[int] = field(default_factory=list)
    answers: dict[tuple[str, str], tuple[int, str]] = field(default_factory=dict)
    """By who asks, and the path."""

    @property
    def own(self) -> str:
        """Path of the agreement."""
        return f"/reconciliation/{self.made.agreement.hex()}"

    @property
    def case(self) -> str:
        """Path of the case."""
        return f"{self.own}/cases/{self.made.case_id.hex()}"

    @property
    def withdraw(self) -> cases.Withdraw:
        """What takes back what the first bank proposes."""
        return cases.Withdraw(self.made.agreement, key("north").address, self.made.case_id)

    def read(self, path: str) -> str:
        """Read the words of a page."""
        page = self.pages[path]
        main = page[page.index("<main") : page.index("</main>")]
        return re.sub(r"\s+", " ", unescape(re.sub("<[^>]+>", " ", main)))


@asynccontextmanager
async def asking(node, settings, pairs, keys=None):
    """Ask a console: `get(path, token)` returns status and page; with a tag, the new one, too."""
    app = create_app(node, settings, keys, pairs=pairs)
    async with TestClient(TestServer(app)) as client:

        async def get(path, token="", tag=None):
            headers = {"Authorization": f"Bearer {token}"} if token else {}
            response = await client.get(path, headers=headers | {"If-None-Match": tag or ""})
            answer = response.status, await response.text()
            return answer if tag is None else (*answer, response.headers["ETag"])

        yield get


async def update(paired, get, path) -> list[int]:
    """Ask for a page again and again: at first, with nothing new, and with a window completed."""
    statuses, tag = [], ""
    for number in range(3):
        if number == 2:
            view = paired.services[0].get_pair(bytes.fromhex(path[-64:]))
            await paired.services[0].complete(view.agreement, view.completed + 1)
        status, _, tag = await get(path, tag=tag)
        statuses.append(status)
    return statuses


async def read_steps(get, path) -> None:
    """Ask for a case until all its steps were read from the log, which a page does not wait for."""
    page = "The log is being read"
    async with asyncio.timeout(60):
        while "The log is being read" in page or "Known from block" in page:
            _, page = await get(path)


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    keys_path = tmp_path_factory.mktemp("keys") / "api-keys.json"
    tokens = {"anyone": ""}
    for name, role, member in (
        ("own", Role.OPERATOR, "north"),
        ("other", Role.OPERATOR, "south"),
        ("regulator", Role.REGULATOR, "regulator"),
    ):
        bound = {"now_ms": wall_clock_ms(), "member": to_text(key(member).address)}
        _, tokens[name] = add_key(keys_path, name=name, role=role, **bound)

    async def visit() -> Site:
        async with running(Paired(write_rules("Nostro"))) as paired:
            found = Site(await make_reconciled(paired))
            north, south = paired.services
            breaks = north.list_breaks(found.made.agreement)
            alone = next(each for each in breaks if b"ALONE" in b"".join(each.group.left))
            found.alone = f"{found.own}/cases/{alone.group.id.hex()}"
            breaks = f"{found.own}/breaks"
            ahead = f"{found.own}/windows/99999/matches"
            async with asking(paired.node, OPEN, south) as get:
                await read_steps(get, found.case)
                for path in (found.own, found.case, f"{found.own}/positions"):
                    _, found.pages[f"other {path}"] = await get(path)
            async with asking(paired.node, OPEN, north) as get:
                await read_steps(get, found.case)
                for path in (
                    *list_pages(found.made).values(),
                    f"/reconciliation/{found.made.asked.hex()}",
                    found.alone,
                    f"{found.own}/cases/{found.made.healed.hex()}",
                    f"{found.own}/windows/0/matches?pass=parts",
                    f"{breaks}?class=amount&age=11-30",
                    f"{breaks}?currency=%3Cb%3E",
                ):
                    status, found.pages[path] = await get(path)
                    assert status == 200, path
                found.updates = await update(paired, get, found.own)
                await submit(paired, ("north",), found.withdraw)
                _, found.pages[f"later {found.case}"] = await get(found.case)
            async with asking(paired.node, CLOSED, north, KeyRing(keys_path)) as get:
                for path in (MANIFESTS, ON_RECORD, ON_RECORD.replace("0001", "ffff")):
                    found.answers["anyone", path] = await get(path)
                strange = (f"{found.own[:-2]}00", found.own[:-2], ahead)
                for name, token in tokens.items():
                    for path in (found.own, found.case, *strange):
                        found.answers[name, path] = await get(path, token)
            async with asking(paired.node, OPEN, None) as get:
                found.answers["absent", ""] = await get("/reconciliation")
            return found

    return asyncio.run(visit())


def test_pages_load_and_run_nothing_of_their_own(site):
    for page in site.pages.values():
        assert " style=" not in page
        assert "<style" not in page
        assert page.count("<script") == 2


def test_each_agreement_stands_in_a_line(site):
    text = site.read("/reconciliation")
    assert "south Nostro in force 2 2 1 5" in text
    assert "south Co-lending waits to be accepted here 0 0 0 0" in text


def test_windows_tell_what_matched_and_who_stated_it(site):
    text = site.read(site.own)
    assert "Windows agreed 2 of 2 closed" in text
    assert re.search(
        r"1 \d{4}-\d\d-\d\d 25 23 87.5 % explained in window 1 6 agreed stated by both [0-9a-f]",
        text,
    )
    assert re.search(r" 0 \d{4}-\d\d-\d\d 47 45 92.4 % explained in window 0 7 agreed ", text)
    assert "5 6 0 1 244.34 MOP" in text
    assert "Waiting entries 1" in text
    assert "Newer windows" in text  # one entry lies decades ahead, and does not lead
    assert re.search(r"1 \d{4}-\d\d-\d\d 23 25 87.5 % ", site.read(f"other {site.own}"))


def test_what_the_other_bank_proposes_comes_with_the_command_that_accepts_it(site):
    asked = site.made.asked.hex()
    assert f"hansa pair accept {asked}" in site.read(f"/reconciliation/{asked}")


def test_breaks_are_chosen_by_what_they_are(site):
    queue = site.read(f"{site.own}/breaks")
    assert "Missing in own books STRANGE – 12.34 MOP" in queue
    assert "Another amount FEE Camões & Filhos 880.00 MOP 910.00 MOP" in queue
    chosen = site.read(f"{site.own}/breaks?class=amount&age=11-30")
    assert "1 of them chosen" in chosen
    assert "FEE" in chosen
    assert "STRANGE" not in chosen
    assert "No break is of this kind" in site.read(f"{site.own}/breaks?currency=%3Cb%3E")
    assert "<b>" not in site.pages[f"{site.own}/breaks?currency=%3Cb%3E"]


def test_a_case_shows_both_sides_and_who_must_act(site):
    text = site.read(site.case)
    assert "Own books have more by −30.00 MOP" in text
    assert "Amount differs 880.00 MOP 910.00 MOP" in text
    assert "Counterparty differs, not compared Camões & Filhos CAMOES FILHOS" in text
    assert "Offered, signed by north , north, officer Signed so far south 1 of 2" in text
    named = f"{site.made.agreement.hex()} {site.made.case_id.hex()}"
    assert f"hansa pair case withdraw {named} --key" in text
    other = site.read(f"other {site.case}")
    assert "Amount differs −910.00 MOP −880.00 MOP" in other
    assert f"hansa pair case confirm {named} --key" in other


def test_a_case_tells_its_steps_from_the_ledger(site):
    text = site.read(site.case)
    steps = text[text.index("Steps of this case") :]
    assert steps.index("south accepted, with one") < steps.index("north offered, with two")
    assert steps.index("turned down") < steps.index("north opened the case")
    assert site.pages[site.case].count('href="/transactions/') == 6


def test_a_case_of_what_matched_later_is_still_found(site):
    healed = site.made.healed.hex()
    queue = site.pages[f"{site.own}/breaks"]
    assert f'href="{site.own}/cases/{healed}"' in queue[queue.index("Cases of what is no break") :]
    text = site.read(f"{site.own}/cases/{healed}")
    assert "no break any more" in text
    assert "both banks matched it in a later window" in text
    assert "hansa pair case" not in text


def test_a_step_that_is_taken_later_is_told_too(site):
    text = site.read(f"later {site.case}")
    assert "Steps of this case, newest first When Who What" in text
    assert text.index("north turned down, or took back") < text.index("south accepted")
    assert site.pages[f"later {site.case}"].count('href="/transactions/') == 7
    assert text.count("not any more") == 2


def test_a_page_is_sent_again_only_with_something_new(site):
    assert site.updates == [200, 304, 200]


def test_matches_are_explained(site):
    text = site.read(f"{site.own}/windows/0/matches")
    assert "exact Entries that are equal, copy against copy: the same currency, amount and" in text
    assert re.search(r"near 550.00 MOP \S+ NEAR 550.03 MOP \S+ NEAR −0.03 MOP 0.03 MOP apart", text)
    chosen = site.read(f"{site.own}/windows/0/matches?pass=parts")
    assert re.search(r"parts 300.00 MOP \S+ PARTS 200.00 MOP \S+ PARTS/1 100.00 MOP", chosen)
    assert "NEAR" not in chosen


def test_positions_tell_who_pays_and_what_settled_them(site):
    text = site.read(f"{site.own}/positions")
    assert "21 south 120.00 MOP north , south signed by both" in text
    assert "42 south 4,857.80 MOP north , south settled" in text
    assert f"/transactions/{site.made.settled.hex()}" in site.pages[f"{site.own}/positions"]
    assert "hansa pair settle" not in text
    other = site.read(f"other {site.own}/positions")
    assert f"hansa pair settle {site.made.agreement.hex()} 1 MOP --key" in other


def test_what_others_wrote_is_shown_as_what_it_is(site):
    assert WORDS in site.read(site.case)
    assert "<i>Agreed" not in site.pages[site.case]
    assert MARKUP in site.read(site.alone)
    assert "<b>Rent" not in site.pages[site.alone]


def test_a_break_without_a_case_comes_with_the_command_that_proposes(site):
    text = site.read(site.alone)
    assert "No officer has opened a case" in text
    assert f"hansa pair case propose {site.made.agreement.hex()} {site.alone[-64:]}" in text


def test_none_but_the_banks_own_keys_see_what_it_reconciles(site):
    for path in (site.own, site.case):
        statuses = {
            name: site.answers[name, path][0] for name in ("anyone", "own", "other", "regulator")
        }
        assert statuses == {"anyone": 401, "own": 200, "other": 403, "regulator": 403}
        for name in ("anyone", "other", "regulator"):
            assert "Nostro" not in site.answers[name, path][1]


def test_what_names_no_agreement_is_told(site):
    statuses = [status for (name, _), (status, _) in site.answers.items() if name == "own"]
    assert sorted(statuses) == [200, 200, 400, 404, 404]


def test_a_notarised_result_is_found_by_its_hash(site):
    link = f'href="{ON_RECORD.replace("&", "&amp;")}"'
    assert link in site.pages[MANIFESTS]
    status, page = site.answers["anyone", ON_RECORD]
    assert status == 200
    assert NOTARISED.hex() in page
    assert '<span class="outcome ok">stands</span>' in page


def test_what_a_notary_has_on_record_is_listed_to_whoever_may_see_it(site):
    status, page = site.answers["anyone", MANIFESTS]
    assert status == 200
    assert NOTARISED.hex() not in page
    status, page = site.answers["anyone", ON_RECORD.replace("0001", "ffff")]
    assert status == 404
    assert "has nothing on record under this hash" in page


def test_a_node_that_does_not_reconcile_says_how_to_begin(site):
    status, page = site.answers["absent", ""]
    assert status == 200
    assert "[reconciliation]" in page
