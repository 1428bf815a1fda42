"""Every code that a problem document can have leads to its explanation, on the node and in docs."""

from __future__ import annotations

import asyncio
import importlib
import pkgutil
import re
from enum import StrEnum
from http import HTTPStatus
from pathlib import Path

import msgspec
import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from tests.world import key, make_genesis, open_world

import hansa
from hansa.engine.storage import FileStorage
from hansa.engine.verification import InlineVerifier
from hansa.identity.faults import Fault
from hansa.kernel.errors import InvalidCode
from hansa.node.api.codes import API, CODES, FAILURES, INVALID, describe_refusal
from hansa.node.api.problems import HTTP_CODES, OWN_CODES, answer_http, build_problem
from hansa.node.service import Node
from hansa.node.serving.app import create_app

ROOT = Path(__file__).resolve().parents[4]
ROW = re.compile(r'\| <a id="([^"]+)"></a>`[^`]+` \|(?: [0-9]{3} \|)? (.+) \|')


def list_refusals() -> set[str]:
    """List what `Refused` can carry: members of enumerations, named `<contract>.<CODE>`.

    Faults of credentials are named likewise, and are none: a problem document says MALFORMED.
    """
    found = set()
    for module in pkgutil.walk_packages(hansa.__path__, "hansa."):
        if module.name.endswith("__main__"):
            continue
        for value in vars(importlib.import_module(module.name)).values():
            if isinstance(value, type) and issubclass(value, StrEnum) and value is not Fault:
                found |= {each.value for each in value if re.fullmatch("[a-z]+.[A-Z_]+", each)}
    return found


EMITTED = sorted(list_refusals() | {*OWN_CODES, *InvalidCode, *FAILURES})


def read_type(response: web.Response) -> tuple[str, str]:
    path, _, anchor = msgspec.json.decode(response.body)["type"].partition("#")
    return path, anchor


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    """What a node with the default settings answers to anyone under the paths of all types."""
    world = open_world(FileStorage(tmp_path_factory.mktemp("log")), make_genesis())
    found = {}

    async def read() -> None:
        node = Node(
            world.chain, InlineVerifier(world.network), key("north").address, key("north server")
        )
        async with TestClient(TestServer(create_app(node))) as client:
            for code in EMITTED:
                path, _ = read_type(build_problem(400, code, ""))
                if path not in found:
                    response = await client.get(path)
                    found[path] = (response.status, await response.text())

    asyncio.run(read())
    return found


@pytest.mark.parametrize("code", EMITTED)
def test_the_type_of_a_problem_leads_to_its_code(pages, code):
    path, anchor = read_type(build_problem(400, code, ""))
    status, text = pages[path]
    assert (status, anchor) == (200, code)
    assert text.count(f'id="{code}"') == 1
    assert (ROOT / path.lstrip("/")).read_text().count(f'<a id="{code}"></a>') == 1


def test_there_are_no_explanations_of_other_codes():
    assert sorted(CODES) == EMITTED
    assert set(API) == OWN_CODES
    assert list(INVALID) == list(InvalidCode)


@pytest.mark.parametrize("status", [each for each in HTTPStatus if each >= HTTPStatus.BAD_REQUEST])
def test_whatever_http_refuses_has_a_code_that_is_explained(status):
    class Refusal(web.HTTPException):
        status_code = status

    _, code = read_type(answer_http(Refusal()))
    assert code == HTTP_CODES.get(status, "MALFORMED")
    assert code in CODES


def test_the_tables_of_the_docs_say_the_same():
    """Where a line differs, the one expected is the text to put there."""
    told = {}
    for page in ("contracts.md", "http-api.md"):
        for line in (ROOT / "docs" / "reference" / page).read_text().splitlines():
            found = ROW.fullmatch(line)
            if found is not None:
                told[found[1]] = found[2]
    assert told == {code: f"{text.means} | {text.who} | {text.do}" for code, text in CODES.items()}


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        ({"moved": 200, "total": 400}, "200 of a voting power of 400 would have moved"),
        ({"moved": "2", "total": "6"}, "a third or more"),
        ({"moved": 2, "total": 7}, "more than 64 times within 24 hours"),
    ],
)
def test_what_bounds_the_change_of_voting_power_is_told_with_its_end(facts, words):
    told = describe_refusal("members.POWER_CHANGE", {**facts, "ready_ms": 172_800_000})
    assert words in told
    assert "from 1970-01-03T00:00:00.000Z on" in told


def test_a_change_that_is_too_much_by_itself_has_no_end():
    told = describe_refusal("members.POWER_CHANGE", {"moved": 200, "total": 400})
    assert told.endswith("It is too much by itself: take smaller steps.")


@pytest.mark.parametrize("facts", [{}, {"moved": 1}, {"moved": "many", "total": "²"}])
def test_without_facts_both_reasons_are_told(facts):
    means = CODES["members.POWER_CHANGE"].means
    assert describe_refusal("members.POWER_CHANGE", facts) == means


@pytest.mark.parametrize("ready", [86_400_000, "86400000"])
def test_a_lock_is_told_with_its_end_by_the_time_of_blocks(ready):
    told = describe_refusal("governance.LOCKED", {"ready_ms": ready})
    assert "it ends at 1970-01-02T00:00:00.000Z" in told
    assert "behind the clock" in told


@pytest.mark.parametrize("facts", [{}, {"ready_ms": "soon"}, {"ready_ms": 10**30}])
def test_a_lock_of_which_nobody_says_the_end_is_told_without(facts):
    assert describe_refusal("governance.LOCKED", facts) == CODES["governance.LOCKED"].means
