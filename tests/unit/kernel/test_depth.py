"""What is decided of input is decided alike, wherever on the stack and by whichever Python."""

from __future__ import annotations

import sys
from collections.abc import Callable

import msgspec
import pytest
from tests.vectors.make_envelopes import ANN, FORGE

from hansa.contracts.actions import Action, decode_action
from hansa.contracts.registry import build_contracts
from hansa.kernel.block import decode_receipt, decode_record
from hansa.kernel.contract import decode_arguments
from hansa.kernel.crypto.signatures import verify_many
from hansa.kernel.encoding import ARGUMENTS_DEPTH_MAX, DEPTH_MAX, encode
from hansa.kernel.errors import HansaError
from hansa.kernel.frame import check_frame
from hansa.kernel.genesis import decode_genesis
from hansa.kernel.transaction import check_batch, check_envelope

NETWORK = FORGE.network
CONTRACT = build_contracts()["governance", 1]
DEPTHS = (1, ARGUMENTS_DEPTH_MAX, ARGUMENTS_DEPTH_MAX + 1, DEPTH_MAX, 2 * DEPTH_MAX, 400)
DEPTHS += (880, 920, 960, 2_000)
LIMIT = sys.getrecursionlimit()
PLACES = (*range(0, LIMIT - 80, 40), *range(LIMIT - 80, LIMIT, 2))
"""Frames to go down before it is asked; most of them where the stack ends."""


def nest(depth: int) -> bytes:
    return b"\x91" * depth + b"\x90"


def envelope(depth: int) -> bytes:
    """A signed envelope whose arguments hold arrays so deep."""
    body = encode(FORGE.fields(ANN, calls=[["tally", "add", []]]))[:-1] + nest(depth)
    return FORGE.seal(body, ANN)


def call_from(frames: int, decide: Callable[[bytes], object], raw: bytes) -> object:
    return decide(raw) if frames == 0 else call_from(frames - 1, decide, raw)


def judge(frames: int, decide: Callable[[bytes], object], raw: bytes) -> str:
    """Say what comes out, a value or an error's code; nothing if the stack ended first."""
    try:
        return repr(call_from(frames, decide, raw))
    except RecursionError:
        return ""
    except HansaError as error:
        return f"{type(error).__name__} {getattr(error, 'code', '')}"


RECEIPT = b"\x95\xc4\x20" + bytes(32) + b"\x00\xa0\x00\x91\x93\xa1c\xa1n"
ASKED: dict[str, tuple[Callable[[int], bytes], Callable[[bytes], object]]] = {
    "a frame": (
        lambda depth: FORGE.batch(envelope(depth)),
        lambda raw: check_frame(raw, NETWORK, verify_many),
    ),
    "a batch": (
        lambda depth: FORGE.batch(envelope(depth)),
        lambda raw: check_batch(raw, NETWORK, verify_many),
    ),
    "an envelope": (envelope, lambda raw: check_envelope(raw, NETWORK)[0]),
    "arguments": (
        nest,
        lambda raw: decode_arguments(CONTRACT, "propose", CONTRACT.commands["propose"], raw),
    ),
    "an action": (nest, lambda raw: decode_action(Action("suspend_member", msgspec.Raw(raw)))),
    "a receipt": (lambda depth: RECEIPT + nest(depth), decode_receipt),
    "a record": (nest, decode_record),
    "a genesis": (nest, decode_genesis),
}


@pytest.mark.parametrize("name", ASKED)
def test_one_verdict_at_any_place_of_the_stack(name):
    build, decide = ASKED[name]
    for depth in DEPTHS:
        raw = build(depth)
        found = {judge(frames, decide, raw) for frames in PLACES}
        assert found == {judge(0, decide, raw), ""}, depth
