"""What a node says, over the API and on its pages, of blocks that it does not keep."""

from __future__ import annotations

import json
import re
import urllib.error
import urllib.request

import pytest
from tests.pruned import make_pruned_folder
from tests.running import run_folder
from tests.world import key

from hansa.kernel.block import compute_position
from hansa.kernel.crypto.address import to_text
from hansa.kernel.errors import NotFound
from hansa.node.records import open_log
from hansa.sdk.client import Client

ANN = to_text(key("ann").address)
UNKNOWN = "00" * 32
KEPT = 10
"""Blocks at least, see `tests.pruned`."""


@pytest.fixture(scope="module")
def pruned(tmp_path_factory):
    with run_folder(make_pruned_folder(tmp_path_factory.mktemp("pruned") / "node")) as running:
        yield running


def ask(pruned, path):
    """Ask who may read everything; gives status and text."""
    headers = {"Authorization": f"Bearer {pruned.token}", "Accept": "text/html"}
    request = urllib.request.Request(pruned.url + path, headers=headers)  # noqa: S310 - our own
    try:
        with urllib.request.urlopen(request) as answer:  # noqa: S310
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


@pytest.fixture(scope="module")
def lowest(pruned):
    reader = open_log(pruned.home.log_path)
    try:
        return reader.height_min
    finally:
        reader.close()


@pytest.mark.parametrize(
    "path",
    [
        "/v1/blocks/3",
        "/v1/blocks?from_height=3",
        "/v1/records?from_height=3",
        "/v1/events?from_height=3",
    ],
)
def test_it_is_said_that_blocks_are_not_kept_and_whom_to_ask(pruned, lowest, path):
    status, text = ask(pruned, path)
    said = json.loads(text)["detail"]
    assert status == 404
    assert "kept here" in said
    assert str(lowest) in said
    assert said.endswith("ask a node that keeps all")


@pytest.mark.parametrize("path", [f"/v1/transactions/{UNKNOWN}", f"/v1/receipts/{UNKNOWN}"])
def test_it_is_said_from_which_block_on_transactions_are_found(pruned, lowest, path):
    """Maybe a later one than the oldest kept: the blocks to be pruned next are forgotten first."""
    status, text = ask(pruned, path)
    said = re.search(r"kept here, the oldest of which is (\d+); ask a node", text)
    assert status == 404
    assert lowest <= int(said[1]) < lowest + KEPT


def test_blocks_and_a_history_end_where_the_node_s_do(pruned, lowest):
    _, text = ask(pruned, f"/v1/blocks?from_height={lowest + 1}")
    assert [block["height"] for block in json.loads(text)["blocks"]] == [lowest + 1, lowest]
    heights, query = [], ""
    while True:
        _, text = ask(pruned, f"/v1/wallets/{ANN}/transactions?limit=7{query}")
        page = json.loads(text)
        heights += [entry["height"] for entry in page["transactions"]]
        if page["next"] is None:
            break
        assert page["cut_below"] is None
        query = f"&before={page['next']}"
    assert heights[-1] == page["cut_below"] == lowest
    gone = compute_position(lowest - 1, 0)
    _, text = ask(pruned, f"/v1/wallets/{ANN}/transactions?before={gone}")
    page = json.loads(text)
    assert (page["transactions"], page["next"], page["cut_below"]) == ([], None, lowest)


def test_a_client_that_streams_from_what_is_gone_is_told(pruned):
    with Client(pruned.url) as client, pytest.raises(NotFound, match="block 3 is not kept here"):
        next(client.stream_blocks(3))


@pytest.mark.parametrize(
    ("path", "status", "said"),
    [
        ("/", 200, "Overview"),
        ("/supply", 200, "Older changes of what is owed are in blocks before LOWEST"),
        ("/supply", 200, "from the oldest checkpoint that this node keeps"),
        ("/blocks", 200, "This node keeps those from LOWEST on"),
        ("/blocks?from=3", 200, "/blocks/LOWEST"),
        ("/blocks/LOWEST", 200, "the oldest block that this node keeps"),
        ("/blocks/3", 404, "Not kept by this node"),
        (f"/wallets/{ANN}", 200, "History"),
        (f"/wallets/{ANN}?before=GONE", 200, "Older changes of this wallet’s money are in blocks"),
        (f"/search?q={UNKNOWN}", 404, "It keeps the blocks from LOWEST on"),
    ],
)
def test_every_page_is_there_and_says_what_is_not(pruned, lowest, path, status, said):
    path = path.replace("GONE", str(compute_position(lowest - 1, 0)))
    found, text = ask(pruned, path.replace("LOWEST", str(lowest)))
    assert found == status
    assert said.replace("LOWEST", str(lowest)) in text
    assert f"/blocks/{lowest - 1}" not in text
