"""The table of the console's pages: where each is, and its place in the navigation."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from aiohttp import web

from hansa.node.console.identity import pages as identity
from hansa.node.console.pages import CODE_PAGES, FILE_PATH, Console
from hansa.node.console.reconciliation.manifests import show_manifests
from hansa.node.console.reconciliation.pages import ROOT, lead_to
from hansa.node.console.reconciliation.runs import pages as runs
from hansa.node.console.risk.pages import ROOT as RISK
from hansa.node.console.risk.pages import lead_to as lead_to_risk

Page = Callable[[Console, web.Request], Awaitable[web.Response]]


@dataclass(frozen=True, slots=True)
class Route:
    """One page: where it is, what fills it, and its place in the navigation."""

    path: str
    page: Page
    label: str = ""
    """Of its link in the navigation; empty for none."""
    method: str = "GET"


ROUTES: tuple[Route, ...] = (
    Route("/", Console.overview, "Overview"),
    Route("/supply", Console.show_supply, "Supply"),
    Route("/blocks", Console.list_blocks, "Blocks"),
    Route("/blocks/{height}", Console.show_block),
    Route("/transactions/{tx_id}", Console.show_transaction),
    Route("/wallets/{address}", Console.show_wallet),
    Route("/members", Console.list_members, "Members"),
    Route("/members/{address}", Console.show_member),
    Route("/identity", identity.show_overview, "Identity"),
    Route("/identity/did/{did}", identity.show_subject),
    Route("/identity/type/{name}", identity.show_type),
    Route(ROOT, lead_to("pairs"), "Reconciliation"),
    Route(ROOT + "/manifests", show_manifests),
    Route(ROOT + "/runs", runs.show_runs),
    Route(ROOT + "/runs/{name}", runs.show_run),
    Route(ROOT + "/{agreement}", lead_to("pair")),
    Route(ROOT + "/{agreement}/breaks", lead_to("breaks")),
    Route(ROOT + "/{agreement}/cases/{case_id}", lead_to("case")),
    Route(ROOT + "/{agreement}/windows/{window}/matches", lead_to("matches")),
    Route(ROOT + "/{agreement}/positions", lead_to("positions")),
    Route(RISK, lead_to_risk("overview"), "Risk"),
    Route(RISK + "/waiting", lead_to_risk("waiting")),
    Route(RISK + "/held", lead_to_risk("held")),
    Route(RISK + "/decisions/{tx_id}", lead_to_risk("decision")),
    Route(RISK + "/rules", lead_to_risk("rules")),
    Route(RISK + "/models", lead_to_risk("models")),
    Route("/governance", Console.show_governance, "Governance"),
    Route("/policy", Console.show_policy, "Policy"),
    Route("/validators", Console.show_validators, "Validators"),
    *(Route(path, Console.explain_codes) for path in CODE_PAGES),
    Route("/search", Console.search),
    Route("/sign-in", Console.show_sign_in),
)
"""Every page of the console; the tests visit each."""

FILES: tuple[Route, ...] = (
    Route("/sign-in", Console.sign_in, method="POST"),
    Route("/sign-out", Console.sign_out, method="POST"),
    Route("/transactions/{tx_id}/receipt", Console.send_receipt),
    Route(ROOT + "/runs/{name}/report", runs.send_report),
    Route(FILE_PATH, Console.send_file),
)
"""What is served beside the pages: files, and what forms are sent to."""

NAVIGATION = [(route.path, route.label) for route in ROUTES if route.label]
"""The pages that every page links to."""
