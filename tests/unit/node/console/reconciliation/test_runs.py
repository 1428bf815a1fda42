"""The pages about results of reconciling files, whatever lies in their folder."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import re
import shutil
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from html import unescape
from pathlib import Path
from urllib.parse import quote

import pytest
from aiohttp.test_utils import TestClient, TestServer
from tests.notarised import make_result, put_on_record
from tests.simulation.disk import SimulatedDisk
from tests.world import key, make_genesis, open_world
from yarl import URL

from hansa.contracts.identity.evidence import Revoke
from hansa.engine.verification import InlineVerifier
from hansa.kernel.crypto.address import to_text
from hansa.node.api.keys import KeyRing, add_key
from hansa.node.api.rights import Role
from hansa.node.console.reconciliation.runs.folders import SETTLED_NS, Hashes, opened, opened_file
from hansa.node.service import Node, wall_clock_ms
from hansa.node.serving.app import create_app
from hansa.node.settings import Access, Limits, LoopbackReads, Reconciliation, Settings

EVIDENCE = "manifest.json.evidence.json"
ROOT = "/reconciliation/runs"
SECRET = "what lies beside the folder"
LIMITS = Limits(known_per_s=0, anyone_per_s=0)
ODD = "<i>odd ?#%2F"
RESULTS = (
    "good", "plain", "revoked", "unknown", "changed", "other", "unread", "broken", "huge",
    "outside", "deep", "later", "empty", ODD,
)  # fmt: skip
STRANGE = (
    "link",
    ".hidden",
    "..%2Fwork",
    "%2e%2e%2fwork",
    "good%2Fbooks",
    "a%20file",
    "%00",
    "%FF",
)
"""Names that are no result, as a path has them."""


@dataclass
class Site:
    """What the console answered."""

    results: Path
    hashed: bytes = b""
    """On record."""
    genesis: str = ""
    pages: dict[str, tuple[int, str]] = field(default_factory=dict)
    answers: dict[tuple[str, str], int] = field(default_factory=dict)
    """Statuses, by who asks and the path."""
    strange: dict[str, int] = field(default_factory=dict)
    report: tuple[dict[str, str], bytes] = ({}, b"")

    def read(self, name: str = "") -> str:
        """Read the words of a page."""
        status, page = self.pages[name]
        assert status == 200, name
        return read(page)


def read(page):
    return read_words(page[page.index("<main") : page.index("</main>")])


def read_words(markup):
    return re.sub(r"\s+", " ", unescape(re.sub("<[^>]+>", " ", markup))).strip()


def spoil(results, made):
    """Lay all kinds of folders beside a good result."""

    def copy(name):
        shutil.copytree(made, results / name)
        return results / name

    (copy("changed") / "report.html").write_text("<script>")
    manifest = copy("other") / "manifest.json"
    told = json.loads(manifest.read_text())
    told["sides"][0]["reading"] = {"mapping_sha256": "b" * 64}
    named = {"name": "<rates>.csv", "sha256": "c" * 64}
    manifest.write_text(json.dumps(told | {"as_of": "2026-02-20", "rates": named}))
    (copy("unread") / EVIDENCE).write_text("{}")
    (copy("broken") / "summary.json").write_text('{"version": 1, "title": []}')
    with (copy("huge") / "summary.json").open("wb") as file:
        file.truncate(1 << 40)
    outside = copy("outside")
    told = json.loads((outside / "manifest.json").read_text())
    named = {
        "../../secret": "a" * 64,
        "a/b/c/d/e/f/g": "a" * 64,
        "pipe": "a" * 64,
        "seen": "a" * 64,
    }
    (outside / "manifest.json").write_text(json.dumps(told | {"files": named}))
    (outside / "seen").symlink_to(results.parent / "secret")
    os.mkfifo(outside / "pipe")
    for name, text in (
        ("deep", '{"x":' + "[" * 100_000),
        ("later", json.dumps(told | {"version": 3})),
    ):
        (results / name).mkdir()
        (results / name / "manifest.json").write_text(text)
    copy(ODD)
    copy(".hidden")
    (results / "empty").mkdir()
    (results / "link").symlink_to(made)
    (results / "a file").write_text("")
    Path(os.fsdecode(os.fsencode(results) + b"/no\xfftext")).mkdir()


@asynccontextmanager
async def asking(node, results, keys=None, loopback=LoopbackReads.EVERYTHING):
    settings = Settings(
        access=Access(loopback=loopback),
        limits=LIMITS,
        reconciliation=Reconciliation(results=results),
    )
    async with TestClient(TestServer(create_app(node, settings, keys))) as client:

        async def get(path, token=""):
            headers = {"Authorization": f"Bearer {token}"} if token else {}
            response = await client.get(URL(path, encoded=True), headers=headers)
            return response, await response.read()

        yield get


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    base = tmp_path_factory.mktemp("runs")
    found = Site(base / "results")
    (base / "work").mkdir()
    found.results.mkdir()
    (base / "secret").write_text(SECRET)
    world = open_world(SimulatedDisk(1), make_genesis())
    made = make_result(found.results, "good", base / "work")
    shutil.copytree(made, found.results / "plain")
    revoked = shutil.copytree(made, found.results / "revoked")
    hashed = put_on_record(world, revoked, "south")
    assert world.do("south", Revoke(key("south").address, hashed)) == ""
    unknown = shutil.copytree(made, found.results / "unknown")
    put_on_record(open_world(SimulatedDisk(2), make_genesis()), unknown, salt=b"s" * 16)
    found.hashed = put_on_record(world, made)
    found.genesis = world.network.genesis_hash.hex()
    spoil(found.results, made)
    os.utime(made / "manifest.json", (2e9, 2e9))
    keys_path = base / "api-keys.json"
    tokens = {"anyone": ""}
    for name, role, member in (
        ("own", Role.OPERATOR, "north"),
        ("other", Role.OPERATOR, "south"),
        ("regulator", Role.REGULATOR, "regulator"),
    ):
        bound = {"now_ms": wall_clock_ms(), "member": to_text(key(member).address)}
        _, tokens[name] = add_key(keys_path, name=name, role=role, **bound)

    async def visit():
        chain = world.chain
        verifier = InlineVerifier(chain.network)
        node = Node(chain, verifier, key("north").address, key("north server"))
        async with asking(node, str(found.results)) as get:
            await keep(get, "", ROOT)
            for name in RESULTS:
                await keep(get, name, f"{ROOT}/{quote(name, safe='')}")
            for name in STRANGE:
                response, _ = await get(f"{ROOT}/{name}")
                found.strange[name] = response.status
            response, body = await get(f"{ROOT}/good/report")
            found.report = dict(response.headers), body
            await keep(get, "report", f"{ROOT}/changed/report")
        async with asking(node, "") as get:
            await keep(get, "absent", ROOT)
        async with asking(node, str(base / "nowhere")) as get:
            await keep(get, "nowhere", ROOT)
        closed = asking(node, str(found.results), KeyRing(keys_path), LoopbackReads.ANYONE)
        async with closed as get:
            for name, token in tokens.items():
                for path in (ROOT, f"{ROOT}/good", f"{ROOT}/good/report"):
                    response, _ = await get(path, token)
                    found.answers[name, path] = response.status

    async def keep(get, name, path):
        response, body = await get(path)
        found.pages[name] = response.status, body.decode()

    asyncio.run(visit())
    return found


def test_results_are_listed_with_what_was_found_and_who_notarised_them(site):
    rows = [read_words(each) for each in site.pages[""][1].split('<tr role="row">')[2:]]
    what = "books bank 6 5 72.7 % 1 Another amount 1 Missing in bank"
    assert rows[0] == f"good 18 May 2033, 11:33:20 {what} on record north 15 Nov 2023, 06:13:21"
    found = {each.split()[0]: each.rpartition(what)[2].strip() for each in rows}
    assert {name: found[name] for name in ("plain", "other", "unread", "unknown", "revoked")} == {
        "plain": "not notarised",
        "other": "another manifest",
        "unread": "no proof",
        "unknown": "not on this ledger",
        "revoked": "revoked south 15 Nov 2023, 06:13:21",
    }


def test_what_is_no_result_is_told_and_leads_nowhere(site):
    text, page = site.read(), site.pages[""][1]
    assert re.search(r" link \d+ \S+ \S+, \S+ It is a link, which is not followed\. ", text)
    assert re.search(r" empty \d+ \S+ \S+, \S+ manifest.json is not there\. ", text)
    assert "no\\udcfftext" in text
    assert "manifest.json is of version 3: this node reads version 1 and 2." in text
    assert ".hidden" not in page
    assert "a file" not in page
    assert f'href="{ROOT}/{quote(ODD, safe="")}"' in page
    assert set(site.strange.values()) == {404}, site.strange


def test_a_result_shows_figures_and_inputs(site):
    text = site.read("good")
    manifest = json.loads((site.results / "good" / "manifest.json").read_text())
    assert "Matched of books 66.7 % of 6 Matched of bank 80 % of 5 Breaks 2 0 of priority 1" in text
    assert "Another amount 1 1 1 −1.00 EUR Missing in bank 1 1 0 9,000 JPY" in text
    assert "0-1 0 0 0 – 2-5 2 2 1 −1.00 EUR 9,000 JPY 6+ 0" in text
    assert "exact net 4 4 4 near tolerance 0 0 0" in text
    assert "1 2026-02-18 to 2026-02-19 2 · 2 2 · 1 2 · 1 2 " in text
    assert "left.parquet books 6" in text
    for each in (manifest["rules_sha256"], manifest["result_sha256"]):
        assert each in text
    page = site.pages["good"][1]
    assert manifest["sides"][0]["sha256"][0][:10] in page
    assert r"Nostro <b>& vostro</b> \u202e" in text
    assert "Rates" not in text
    other = site.read("other")
    assert f"Rates {'c' * 64} SHA-256 of <rates>.csv" in other
    assert f"Mapping {'b' * 64} SHA-256, by which tables of books were read" in other
    assert " style=" not in page


def test_a_result_is_held_against_the_ledger_and_its_files(site):
    text = site.read("good")
    digest = hashlib.sha256((site.results / "good" / "manifest.json").read_bytes()).hexdigest()
    assert f"Hash on the ledger {site.hashed.hex()} Manifest {digest} SHA-256" in text
    assert "on record The ledger of this node has this manifest" in text
    assert "Files as the manifest names them 7 of 7" in text
    assert f"hansa manifest verify {site.results}/good --genesis {site.genesis}" in text
    assert re.search(r'href="/transactions/[0-9a-f]{64}"', site.pages["good"][1])
    assert "hansa id evidence notarise KEY.json" in site.read("plain")
    assert "no longer stands by it since" in site.read("revoked")
    assert "does not have what it proves" in site.read("unknown")
    assert "another manifest than the one that lies there now" in site.read("other")
    assert "no proof It is no evidence file, or it is damaged" in site.read("unread")


def test_what_was_changed_or_leads_elsewhere_is_told(site):
    assert "It is not what its manifest names: report.html was changed." in site.read("changed")
    text = site.read("outside")
    for each in (
        "../../secret has a name that leads elsewhere",
        "a/b/c/d/e/f/g has a name that is too long",
        "pipe is no file",
        "seen is a link, which is not followed",
    ):
        assert each in text
    assert SECRET not in "".join(page for _, page in site.pages.values())
    assert "Files beside them breaks.parquet , matches.parquet , open.parquet" in text


def test_what_cannot_be_read_is_told_in_words(site):
    assert "summary.json cannot be read: title must be a text, not a list." in site.read("broken")
    assert "summary.json has more than 4,194,304 bytes." in site.read("huge")
    assert "Unmatched of books 2 of 6" in site.read("huge")
    assert "manifest.json cannot be read: " in site.read("deep")
    assert "manifest.json is not there." in site.read("empty")
    assert "results cannot be shown" not in site.read("")
    assert "nowhere is not there." in site.read("nowhere")
    assert "[reconciliation] results =" in site.read("absent")


def test_the_report_is_a_file_to_keep_and_only_the_one_that_the_manifest_names(site):
    headers, body = site.report
    assert body == (site.results / "good" / "report.html").read_bytes()
    assert headers["Content-Type"] == "application/octet-stream"
    assert headers["Content-Disposition"] == 'attachment; filename="good-report.html"'
    status, page = site.pages["report"]
    assert (status, "is not the one that manifest.json names" in page) == (404, True)


def test_none_but_the_banks_own_keys_see_results(site):
    expected = {"anyone": 401, "own": 200, "other": 403, "regulator": 403}
    for (name, path), status in site.answers.items():
        assert status == expected[name], (name, path)
    assert len(site.answers) == 12


def test_the_hash_of_a_file_is_kept_until_it_changes(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"one")
    later = [0]
    hashes = Hashes(lambda: later[0])

    def read():
        with opened(tmp_path) as folder, opened_file(folder, "file") as file:
            found = hashes.hash(file)
            return found, os.lseek(file, 0, os.SEEK_CUR)

    expected = hashlib.sha256(b"one").hexdigest()
    assert [read(), read()] == [(expected, 3)] * 2
    later[0] = path.stat().st_ctime_ns + SETTLED_NS + 1
    assert [read(), read()] == [(expected, 3), (expected, 0)]
    path.write_bytes(b"more")
    assert read() == (hashlib.sha256(b"more").hexdigest(), 4)
