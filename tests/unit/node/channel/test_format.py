"""The message format, held to its vectors and to a second implementation of HPKE."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.vectors import independent_channel, make_messages
from tests.vectors.parts import NETWORKS, key

from hansa.kernel.errors import HansaError, Invalid, InvalidCode
from hansa.node.channel.format import (
    MESSAGE_BYTES_MAX,
    AcknowledgementBody,
    Header,
    acknowledge,
    check_acknowledgement,
    check_signature,
    decode_message,
    open_message,
    seal_message,
)
from hansa.sdk.keys import ChannelKey

VECTORS = Path(__file__).resolve().parents[3] / "vectors" / "messages" / "vectors.json"
CASES = json.loads(VECTORS.read_text())
NETWORK = NETWORKS["vectors"]
SERVER = key("small server")


def read(case: dict) -> tuple:
    network = NETWORKS[case["pre"]["network"]]
    message, header = decode_message(bytes.fromhex(case["input"]))
    signed_by = check_signature(network, message)
    channel_key = ChannelKey(bytes.fromhex(case["pre"]["channel_key"]))
    return network, header, message, signed_by, *open_message(network, message, header, channel_key)


def expect(header: Header) -> AcknowledgementBody:
    return AcknowledgementBody(1, header.recipient, header.sender, header.id, header.commitment, 0)


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_vectors(case):
    if "post" not in case:
        with pytest.raises(Invalid) as refused:
            read(case)
        assert refused.value.code.value == case["code"]
        return
    network, header, message, signed_by, salt, content = read(case)
    post = case["post"]
    assert message.header.hex() == post["header"]
    assert (signed_by.hex(), salt.hex(), content.hex()) == (
        post["signed_by"],
        post["salt"],
        post["content"],
    )
    if post["acknowledgement"] is not None:
        server = key("small server", 1, network.genesis.hash)
        raw = acknowledge(network, server, header, 1_700_000_000_005)
        assert raw.hex() == post["acknowledgement"]
        assert check_acknowledgement(network, raw, expect(header)) == server.address


def test_what_is_sealed_here_opens_by_the_rfc():
    header = Header(*make_messages.header())
    sender = key("north server")
    raw = seal_message(NETWORK, sender, header, make_messages.SALT, make_messages.CONTENT)
    message, found = decode_message(raw)
    assert found == header
    info = make_messages.prefix("message", "vectors") + message.header
    opened = independent_channel.unseal(message.sealed, make_messages.CHANNEL_KEY, info)
    assert opened == make_messages.SALT + make_messages.CONTENT


def test_the_same_content_is_never_sealed_alike():
    header = Header(*make_messages.header())
    raws = {
        seal_message(NETWORK, key("north server"), header, make_messages.SALT, b"same")
        for _ in range(3)
    }
    assert len(raws) == 3


@pytest.mark.parametrize("public_key", [bytes(32), b"\x01" + bytes(31)])
def test_nothing_is_sealed_to_a_key_of_small_order(public_key):
    header = Header(*make_messages.header(channel_key=public_key))
    with pytest.raises(Invalid) as refused:
        seal_message(NETWORK, key("north server"), header, make_messages.SALT, b"")
    assert refused.value.code is InvalidCode.PUBLIC_KEY


def test_a_message_over_one_mebibyte_is_refused_before_it_is_read():
    with pytest.raises(Invalid) as refused:
        decode_message(bytes(MESSAGE_BYTES_MAX + 1))
    assert refused.value.code is InvalidCode.TOO_LARGE


@pytest.mark.parametrize(
    "changed",
    [
        {"version": 2},
        {"id": bytes(16)},
        {"commitment": bytes(32)},
        {"recipient": bytes(32)},
        {"sender": bytes(32)},
    ],
    ids=lambda changed: next(iter(changed)),
)
def test_an_acknowledgement_of_something_else_is_none(changed):
    raw = make_messages.acknowledge(**changed)
    with pytest.raises(Invalid):
        check_acknowledgement(NETWORK, raw, expect(Header(*make_messages.header())))


def test_an_acknowledgement_of_another_network_is_none():
    header = Header(*make_messages.header())
    raw = acknowledge(NETWORKS["ed25519-only"], SERVER, header, 5)
    with pytest.raises(Invalid) as refused:
        check_acknowledgement(NETWORK, raw, expect(header))
    assert refused.value.code is InvalidCode.SIGNATURE


def test_a_message_is_no_acknowledgement_of_itself():
    raw = bytes.fromhex(CASES[0]["input"])
    with pytest.raises(Invalid):
        check_acknowledgement(NETWORK, raw, expect(Header(*make_messages.header())))


@given(st.integers(0, len(bytes.fromhex(CASES[0]["input"])) - 1), st.integers(1, 255))
def test_no_byte_can_be_changed(at, mask):
    raw = bytearray.fromhex(CASES[0]["input"])
    raw[at] ^= mask
    with pytest.raises(HansaError):
        read({**CASES[0], "input": bytes(raw).hex()})
