"""The pages about risk control as a client gets them: what they show, and to whom."""

from __future__ import annotations

import asyncio
import json
import re
import shlex
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from html import unescape

import pytest
from aiohttp.test_utils import TestClient, TestServer
from tests.decided import CUSTOMERS, RULES, Decided, decide_on_several
from tests.deciding_desk import NORTH, OFFICERS, Bank
from tests.listed import write_customers
from tests.world import key

from hansa.cli.main import build_parser
from hansa.contracts.risk.in_force import NO_MODEL, Basis
from hansa.contracts.risk.risk import Declare, Suspend, Withdraw
from hansa.kernel.crypto.address import to_text
from hansa.node.api.keys import KeyRing, add_key
from hansa.node.api.rights import Role
from hansa.node.risk.loading import MODELS
from hansa.node.service import wall_clock_ms
from hansa.node.serving.app import create_app
from hansa.node.settings import Access, Limits, LoopbackReads, Settings

LIMITS = Limits(known_per_s=0, anyone_per_s=0)
OPEN = Settings(access=Access(loopback=LoopbackReads.EVERYTHING), limits=LIMITS)
CLOSED = Settings(limits=LIMITS)
WRONG = {
    "/risk/waiting?amount=abc": "From amount on: “abc” is no whole number: 100 is, of ",
    "/risk/waiting?amount=-1": "From amount on: “-1” is no whole number",
    "/risk/waiting?verdict=block": "Decision: “block” is no decision of this page: step_up (cus",
    "/risk/held?verdict=allow&amount=%3Cb%3E": (
        "Decision: “allow” is no decision of this page: step_up (customer confirms), review "
        "(officer looks), block (blocked). From amount on: “<b>” is no whole number"
    ),
}
"""What no field of these pages takes, and what is told."""
PATHS = ("/risk", "/risk/waiting", "/risk/held", "/risk/rules", "/risk/models")


@dataclass
class Site:
    """What the console of a bank that decides answered."""

    bank: Bank
    made: Decided
    pages: dict[str, str] = field(default_factory=dict)
    """By path, and word before it."""
    statuses: dict[tuple[str, str], int] = field(default_factory=dict)
    """By who asks, and the path."""

    def read(self, path: str) -> str:
        """Read the words of a page."""
        page = self.pages[path]
        main = page[page.index("<main") : page.index("</main>")]
        return re.sub(r"\s+", " ", unescape(re.sub("<[^>]+>", " ", main)))

    def explain(self, what: str) -> str:
        """Read the page of a decision, by what became of it."""
        return self.read(name_page(getattr(self.made, what)))


def name_page(tx_id: bytes) -> str:
    return f"/risk/decisions/{tx_id.hex()}"


@asynccontextmanager
async def asking(node, desk, settings, keys=None):
    """Ask a console: `get(path, token, tag)` returns status, page and tag."""
    app = create_app(node, settings, keys, risk=desk)
    async with TestClient(TestServer(app)) as client:

        async def get(path, token="", tag=""):
            headers = {"Authorization": f"Bearer {token}"} if token else {}
            response = await client.get(
                path, headers=headers | {"If-None-Match": tag}, allow_redirects=False
            )
            return response.status, await response.text(), response.headers.get("ETag", "")

        yield get


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
    bank = Bank(tmp_path_factory.mktemp("risk"), rules=RULES, models=("champion", "second"))
    bank.registry.set_challenger(bank.models["second"].hex())
    (bank.path / MODELS / f"{'ab' * 32}.model").write_bytes(b"none")
    bank.fund(*CUSTOMERS)
    write_customers(bank.path, wallets=("one", "two", "three"))

    async def visit() -> Site:
        async with bank.running() as (node, desk):
            found = Site(bank, await decide_on_several(bank, node, desk))
            own = [name_page(each) for each in vars(found.made).values()]
            chosen = ["/risk/waiting?verdict=review", "/risk/held?verdict=block&amount=1"]
            chosen += ["/risk/held?before=2", f"{own[1]}?payment=2"]
            async with asking(node, desk, OPEN) as get:
                for path in (*PATHS, *own, *chosen):
                    status, found.pages[path], tag = await get(path)
                    assert status == 200, path
                    assert bool(tag) == (path.partition("?")[0] in {"/risk", "/risk/waiting"})
                for path in WRONG:
                    found.statuses["open", path], found.pages[path], _ = await get(path)
                _, _, tag = await get("/risk")
                found.statuses["same", "/risk"] = (await get("/risk", tag=tag))[0]
                await desk.tell(found.made.allowed, is_fraud=False)
                found.statuses["new", "/risk"] = (await get("/risk", tag=tag))[0]
                found.statuses["found", "/risk"] = (await get(f"/risk?tx={own[0][-64:]}"))[0]
                bank.world.do("north", Suspend(NORTH, bank.models["champion"]))
                for path in ("/risk", "/risk/models"):
                    _, found.pages[f"suspended {path}"], _ = await get(path)
                declare = Declare(NORTH, (Basis(NO_MODEL, bytes(32)),))
                assert bank.world.do(OFFICERS, declare) == ""
                bank.registry.promote(bank.models["second"].hex())
                await desk.reload()
                _, found.pages["undeclared /risk"], _ = await get("/risk")
                assert bank.world.do("north", Withdraw(NORTH, bank.policy_hash)) == ""
                _, found.pages["withdrawn /risk"], _ = await get("/risk")
                paid = f"/transactions/{found.made.allowed.hex()}"
                _, found.pages[paid], _ = await get(paid)
            async with asking(node, desk, CLOSED, KeyRing(keys_path)) as get:
                for name, token in tokens.items():
                    for path in (*PATHS, own[0], own[0][:-2], f"{own[0][:-2]}00"):
                        found.statuses[name, path], text, _ = await get(path, token)
                        if name == "own":
                            found.pages[f"own {path}"] = text
            return found

    return asyncio.run(visit())


def test_only_keys_of_the_own_institution_see_any_of_it(site):
    decision = name_page(site.made.allowed)
    for path in (*PATHS, decision):
        assert site.statuses["own", path] == 200
        assert site.statuses["other", path] == 403
        assert site.statuses["regulator", path] == 403
        assert site.statuses["anyone", path] == 401
    assert site.statuses["own", decision[:-2]] == 400
    assert site.statuses["own", f"{decision[:-2]}00"] == 404


def test_pages_load_and_run_nothing_of_their_own(site):
    for page in site.pages.values():
        assert " style=" not in page
        assert "<style" not in page
        assert page.count("<script") == 2


def test_the_overview_tells_what_decides_and_how_that_came_out(site):
    text = site.read("/risk")
    assert "The model decides champion is asked of every payment" in text
    assert "second is tried beside it" in text
    assert "Waiting now 2 Allowed, 24 h 10 62.5 % Customer confirms, 24 h 1 6.2 %" in text
    assert "Officer looks, 24 h 3 18.8 % Blocked, 24 h 2 12.5 %" in text
    assert "5 More than most people pay at once." in text
    assert "4 By the model: how much is paid feature.amount_minor" in text
    assert site.bank.policy_hash.hex() in text
    assert "3 names against 3 entries of sanctions lists; hits, cleared or not: 2" in text
    assert site.pages["/risk"].count('<rect class="reviewed"') == 1
    assert site.statuses["same", "/risk"] == 304
    assert site.statuses["new", "/risk"] == 200
    assert site.statuses["found", "/risk"] == 303


def test_it_is_told_why_no_model_decides(site):
    text = site.read("suspended /risk")
    assert "No model decides The model that was promoted is suspended on the ledger: an" in text
    assert f'risk.propose --args \'{{"operator":"{to_text(NORTH)}","model":' in text
    assert "suspended since" in site.read("suspended /risk/models")
    text = site.read("undeclared /risk")
    assert "is approved on the ledger, and an officer has yet to declare it" in text
    command = text[text.index("hansa tx send") : text.index(" --node http")]
    words = shlex.split(command)[1:]
    call = build_parser().parse_args(words)
    assert call.call == ["risk.declare"]
    bases = json.loads(words[-1])["bases"]
    assert {each["model"] for each in bases} == {bytes(32).hex(), site.bank.models["second"].hex()}
    assert len(bases) == 3  # what was in force stays
    text = site.read("withdrawn /risk")
    assert "The policy that is loaded was withdrawn on the ledger" in text
    assert "hansa risk reload --api-key-file CASES.key --node http" in text
    assert "risk.declare" not in text, "what an officer stopped is not proposed again"


def test_a_transaction_leads_to_why_it_was_decided_so(site):
    decision = name_page(site.made.allowed)
    assert f'<a href="{decision}">why' in site.pages[f"/transactions/{decision[-64:]}"]


def test_queues_are_chosen_by_verdict_and_amount(site):
    waiting = site.read("/risk/waiting")
    assert "2 wait" in waiting
    assert "4.50 MOP" in waiting
    chosen = site.read("/risk/waiting?verdict=review")
    assert "7.00 MOP" in chosen
    assert "and 1 more payment officer looks fraud 90 %" in chosen
    assert "4.50 MOP" not in chosen
    held = site.read("/risk/held?verdict=block&amount=1")
    assert "50.00 MOP" in held
    assert "0.20 MOP" not in held
    assert "paid by console: <i>officer 7</i>" in site.read("/risk/held")
    assert "<i>officer" not in site.pages["/risk/held"]
    assert "6.50 MOP" in site.read("/risk/held?before=2")


def test_what_no_field_takes_is_told_beside_it(site):
    for path, told in WRONG.items():
        assert site.statuses["open", path] == 400
        assert told in site.read(path)
        assert site.pages[path].count('aria-invalid="true"') == told.count("“")
        assert " MOP" not in site.read(path), "nothing is shown that was not asked for"
    page = site.pages["/risk/held?verdict=allow&amount=%3Cb%3E"]
    assert 'value="&lt;b&gt;"' in page
    assert "<b>" not in page


def test_what_waits_comes_with_the_commands_that_answer_for_it(site):
    text = site.explain("waits")
    assert "It was to wait for an officer. It waits until" in text
    assert f"hansa risk answer {site.made.waits.hex()} released --by OFFICER --api-key-file" in text
    assert "confirmed --api-key-file APP.key" not in text
    assert "confirmed --api-key-file APP.key" in site.explain("confirming")
    assert "hansa risk answer" not in site.explain("blocked")


def test_a_decision_is_explained_in_words_with_values_in_units(site):
    text = site.explain("waits")
    assert "asked by another way, knows. amount_minor >= 400 (it was 7.00 MOP, 0.05 MOP) " in text
    assert "By the model: how much is paid (7.00 MOP, 0.05 MOP)" in text
    assert "Probability of fraud 90 % by the model" in text
    assert "Nothing was committed to" in text
    assert "How much is paid. amount_minor 7.00 MOP" in text
    assert "How much is paid. amount_minor 0.05 MOP" in site.read(
        f"{name_page(site.made.waits)}?payment=2"
    )
    assert "A list stops its payer, its payee" in site.explain("listed")
    assert "Rules on trial <b>Tried</b> only. rule.new_payee" in site.explain("refused")
    assert "Turned out to be fraud" in site.explain("allowed")


def test_it_is_held_against_the_ledger(site):
    for what in ("allowed", "released"):
        text = site.explain(what)
        assert "holds The ledger has the attestation that this decision and its salt give" in text
    assert "An officer let it through ( console: <i>officer 7</i> )" in site.explain("released")
    assert "It was refused ( console: officer 7 )" in site.explain("refused")


def test_the_picture_has_the_payment_and_what_the_two_paid_before(site):
    page = site.pages[name_page(site.made.waits)]
    assert page.count('<circle class="party"') == 2
    assert page.count('<path class="own"') == 1
    assert page.count('<circle class="other"') == 4  # who paid in, and three customers
    flows = page.count('<path class="flow"')
    assert page.count("<li><span><strong>") + page.count("<li><span>the pay") == flows
    # Of the first payment there was less before, and nothing of what came later is shown.
    earlier = site.pages[name_page(site.made.allowed)]
    assert earlier.count('<path class="flow"') <= flows
    assert "0.15 MOP in 1 payment" in site.explain("waits")  # between two of the others
    assert "in 3 payments" in site.explain("waits")
    assert "in 3 payments" not in site.explain("allowed")


def test_rules_come_with_what_they_would_have_done(site):
    text = site.read("/risk/rules")
    assert "Payments tried 17 At which a rule fires 7" in text
    assert "Known frauds 2 Of these, at which a rule fires 1" in text
    assert re.search(r"notable customer confirms More .* Fires at 5 Frauds 1 Sound 0 ", text)
    assert re.search(r"new_payee officer looks on trial <b>Tried</b> only\.", text)
    assert "Amount of the frauds 9.00 MOP" in text


def test_models_come_with_their_card_and_their_standing(site):
    text = site.read("/risk/models")
    assert "3 models" in text
    first = text.index("champion decides")
    assert first < text.index("second tried beside") < text.index("no role")
    assert "approved since" in text
    assert "under policy" in text
    assert "To find fraud in retail payments." in text
    assert "days.parquet , for training: 1,000 payments, 9 frauds" in text
    assert "average_precision 0.740" in text
    assert "the model file cannot be decoded" in text
