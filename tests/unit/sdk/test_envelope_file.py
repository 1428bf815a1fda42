"""An envelope file goes from signer to signer; nothing in it is believed."""

from __future__ import annotations

import json

import pytest
from tests.world import START_MS, key, make_genesis, pay

from hansa.kernel.errors import Invalid, NotFound
from hansa.kernel.genesis import Network
from hansa.kernel.transaction import check_envelope
from hansa.sdk.build import build_unsigned
from hansa.sdk.envelope_file import PartialEnvelope, load_envelope, save_envelope

NETWORK, OTHER = Network.of(make_genesis()), Network.of(make_genesis(name="other"))
ADA, BEN = key("ada"), key("ben", 2)


@pytest.fixture
def envelope() -> PartialEnvelope:
    body = build_unsigned([ADA.address, BEN.address], [pay("ada", "shop", 5, "x")], START_MS, bytes)
    return PartialEnvelope(NETWORK.genesis_hash, body)


def test_signers_sign_in_any_order(tmp_path, envelope):
    file = tmp_path / "envelope.json"
    save_envelope(file, envelope)
    for signer, missing in ((BEN, [ADA.address]), (BEN, [ADA.address]), (ADA, [])):
        signed = load_envelope(file).sign(NETWORK, signer)
        assert signed.list_missing(NETWORK) == missing
        save_envelope(file, signed, replace=True)
    raw = load_envelope(file).complete(NETWORK)
    ids, checks = check_envelope(raw, NETWORK)
    assert len(checks) == 2
    assert ids[:32] == envelope.compute_tx_id(NETWORK)
    assert [path.name for path in tmp_path.iterdir()] == ["envelope.json"]


def test_only_named_signers_of_the_same_network(envelope):
    with pytest.raises(Invalid, match="none of the signers"):
        envelope.sign(NETWORK, key("stranger"))
    with pytest.raises(Invalid, match="for the network"):
        envelope.sign(OTHER, ADA)
    with pytest.raises(Invalid, match="have not signed yet"):
        envelope.sign(NETWORK, ADA).complete(NETWORK)


def test_a_changed_body_or_signature_is_found(tmp_path, envelope):
    file = tmp_path / "envelope.json"
    save_envelope(file, envelope.sign(NETWORK, ADA).sign(NETWORK, BEN))
    good = json.loads(file.read_text())
    changed = bytes.fromhex(good["body"]).replace(b"\xa1x", b"\xa1y").hex()
    suite, public_key, signature = good["signatures"][0]
    forged = [[suite, public_key, signature[:-2] + ("00" if signature[-2:] != "00" else "01")]]
    for bad in ({**good, "body": changed}, {**good, "signatures": forged}):
        file.write_text(json.dumps(bad))
        with pytest.raises(Invalid, match="does not verify"):
            load_envelope(file).complete(NETWORK)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff\x00",
        b"{}",
        b"[" * 100_000,
        (
            b'{"format": "hansa-envelope", "version": 1, "genesis_hash": "zz", "body": "",'
            b' "signatures": []}'
        ),
        (
            b'{"format": "hansa-envelope", "version": 1, "genesis_hash": "", "body": "c0",'
            b' "signatures": []}'
        ),
    ],
)
def test_rubbish_is_no_envelope_file(tmp_path, content):
    file = tmp_path / "envelope.json"
    file.write_bytes(content)
    with pytest.raises(Invalid, match="no envelope file"):
        load_envelope(file)


def test_files_that_are_not_there_or_in_the_way(tmp_path, envelope):
    with pytest.raises(NotFound):
        load_envelope(tmp_path / "none")
    with pytest.raises(Invalid, match="not a file"):
        load_envelope(tmp_path)
    save_envelope(tmp_path / "mine", envelope)
    with pytest.raises(Invalid, match="exists already"):
        save_envelope(tmp_path / "mine", envelope)
    with pytest.raises(NotFound):
        save_envelope(tmp_path / "none" / "mine", envelope)
