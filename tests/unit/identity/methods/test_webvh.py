"""did:webvh: the logs of five implementations resolve, and none of the known attacks does."""

import asyncio
import copy
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hansa.identity.encoding.timestamp import read_timestamp
from hansa.identity.faults import Fault, Unsound
from hansa.identity.methods.did import read_did
from hansa.identity.methods.webvh import (
    check_witness_file,
    find_version,
    locate_did_webvh,
    read_history,
    resolve_did_webvh,
)
from hansa.kernel.errors import NotFound

VECTORS = json.loads((Path(__file__).parents[3] / "vectors" / "webvh" / "vectors.json").read_text())
NOW_MS = read_timestamp("2026-11-29T00:00:00Z", "now")
SOUND = [case for case in VECTORS["logs"] if "post" in case]
UNSOUND = [case for case in VECTORS["logs"] if "post" not in case]


def name_of(case):
    return f"{case['name']}-{case.get('by', '')}"


def find(name, by="ts"):
    (case,) = [each for each in SOUND if each["name"] == name and each["by"] == by]
    return case["input"]


def server_of(given_input):
    """A web server with the two files, as `fetch` sees it; notes what it was asked for."""
    asked = []

    async def fetch(url, bytes_max):
        asked.append(url)
        raw = given_input["log" if url.endswith("did.jsonl") else "witness"]
        if raw is None:
            raise NotFound(url)
        assert len(raw) <= bytes_max
        return raw.encode()

    return fetch, asked


def resolve(given_input, time_ms=None):
    fetch, _ = server_of(given_input)
    return asyncio.run(resolve_did_webvh(read_did(given_input["did"]), fetch, NOW_MS, time_ms))


@pytest.mark.parametrize("case", SOUND, ids=name_of)
def test_logs_of_other_implementations_resolve(case):
    given_input = case["input"]
    did = read_did(given_input["did"])
    entries = read_history(did, given_input["log"].encode(), NOW_MS)
    if given_input["witness"] is not None:
        check_witness_file(did, entries, given_input["witness"].encode())
    for post in case["post"]:
        number = int(post["version"]) if post["version"] else len(entries)
        found = find_version(did, entries, entries[number - 1].time_ms)
        assert (found.version_id, found.number) == (post["versionId"], number)
        assert found.document.is_deactivated is post["deactivated"]
        expected = post["document"]
        if expected is None:
            continue
        services = {each["id"].rpartition("#")[2] for each in expected.pop("service", [])}
        assert services <= {each.id.rpartition("#")[2] for each in found.document.services}
        state = {name: value for name, value in found.state.items() if name != "service"}
        assert state == expected


@pytest.mark.parametrize("case", UNSOUND, ids=name_of)
def test_no_attack_of_the_suite_resolves(case):
    with pytest.raises((Unsound, NotFound)):
        resolve(case["input"])


@pytest.mark.parametrize("case", VECTORS["dids"], ids=lambda case: case["input"])
def test_an_identifier_that_would_lead_elsewhere_is_refused(case):
    with pytest.raises(Unsound) as caught:
        locate_did_webvh(read_did(case["input"]))
    assert caught.value.fault is Fault.MALFORMED


def test_both_files_are_asked_for_where_the_method_says():
    fetch, asked = server_of(find("witness-threshold"))
    asyncio.run(resolve_did_webvh(read_did(find("witness-threshold")["did"]), fetch, NOW_MS))
    folder = "https://example.com/.well-known/"
    assert asked == [folder + "did.jsonl", folder + "did-witness.json"]


def test_a_moment_in_the_past_gives_what_was_said_then():
    given_input = find("multi-update")
    numbers = [
        resolve(given_input, read_timestamp(f"2000-01-0{day}T12:00:00Z", "day")).number
        for day in (1, 2, 3)
    ]
    assert numbers == [1, 2, 3]
    with pytest.raises(Unsound, match="did not exist") as caught:
        resolve(given_input, read_timestamp("1999-12-31T00:00:00Z", "day"))
    assert caught.value.fault is Fault.UNRESOLVED


def test_who_moved_is_not_found_under_the_new_name_before():
    given_input = find("portable-move", "java")
    first, _ = given_input["log"].splitlines()
    assert resolve(given_input).number == 2
    assert json.loads(first)["state"]["id"] != given_input["did"]
    with pytest.raises(Unsound, match="was then called"):
        resolve(given_input | {"log": first})


def test_another_identifier_does_not_resolve_to_this_log():
    given_input = find("basic-create")
    other = given_input["did"].replace("did:webvh:Q", "did:webvh:R")
    with pytest.raises(Unsound, match="another identifier") as caught:
        resolve(given_input | {"did": other})
    assert caught.value.fault is Fault.UNRESOLVED


def test_a_log_that_asks_for_witnesses_is_nothing_without_their_file():
    with pytest.raises(NotFound):
        resolve(find("witness-threshold") | {"witness": None})
    with pytest.raises(Unsound, match="0 witnesses signed version 1") as caught:
        resolve(find("witness-threshold") | {"witness": "[]"})
    assert caught.value.fault is Fault.SIGNATURE


def test_a_shortened_log_is_the_earlier_version_and_a_cut_one_is_refused():
    given_input = find("basic-update")
    first, second = given_input["log"].splitlines()
    assert resolve(given_input | {"log": first}).number == 1
    with pytest.raises(Unsound):
        resolve(given_input | {"log": second})
    with pytest.raises(Unsound):
        resolve(given_input | {"log": f"{first}\n{second}\n{second}"})


PLACES = [
    (entry, name)
    for entry in range(2)
    for name in ("versionId", "versionTime", "parameters", "state", "proof", "new")
]


@pytest.mark.parametrize(("entry", "name"), PLACES)
def test_no_part_of_an_entry_can_be_changed(entry, name):
    given_input = find("basic-update")
    lines = [json.loads(line) for line in given_input["log"].splitlines()]
    changed = copy.deepcopy(lines)
    changed[entry][name] = {"new": 1, "versionTime": "2000-01-01T06:00:00Z"}.get(
        name, {} if name in ("parameters", "state") else "x"
    )
    log = "\n".join(map(json.dumps, changed))
    with pytest.raises(Unsound):
        resolve(given_input | {"log": log})
    del changed[entry][name]
    if changed == lines:
        return
    with pytest.raises(Unsound):
        resolve(given_input | {"log": "\n".join(map(json.dumps, changed))})


@given(st.data())
def test_any_change_of_a_letter_is_refused_or_changes_nothing(data):
    given_input = find("pre-rotation-consume")
    log = given_input["log"]
    place = data.draw(st.integers(0, len(log) - 1))
    letter = data.draw(st.sampled_from('0aZ"{}[],: \\'))
    sound = resolve(given_input)
    try:
        found = resolve(given_input | {"log": log[:place] + letter + log[place + 1 :]})
    except Unsound:
        return
    assert found.state == sound.state


@given(st.binary(max_size=50))
def test_any_bytes_are_a_log_or_refused(raw):
    with pytest.raises(Unsound):
        read_history(read_did(find("basic-create")["did"]), raw, NOW_MS)
