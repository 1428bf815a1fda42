"""A wallet learns who asks: from a node of the ledger, or from a certificate that it trusts."""

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key
from tests.authority import Authority
from tests.identified import ISSUER, play_identity
from tests.played import open_folder
from tests.running import run_folder
from tests.unit.node.identity.holder.playing import open_wallet, run_counter
from tests.world import key as named

from hansa.identity.keys.kinds import KeyKind
from hansa.identity.keys.signing import load_private_key
from hansa.identity.methods.hansa import write_did
from hansa.identity.verifier.requests import VerifierIdentity
from hansa.node.home import Home


@pytest.fixture
def wallet(tmp_path, monkeypatch, capsys):
    return open_wallet(tmp_path / "wallet", monkeypatch, capsys)


def test_a_verifier_with_a_did_of_the_ledger_is_looked_up_at_a_node(wallet, tmp_path):
    with open_folder(tmp_path / "node") as world:
        play_identity(world)
        genesis = world.network.genesis_hash.hex()
    did = write_did("test", ISSUER)
    kid = f"{did}#{did.rpartition(':')[2]}"
    key = load_private_key(KeyKind.ED25519, named("issuer").private_key)
    stranger = load_private_key(KeyKind.ED25519, b"\x01" * 32)
    with run_folder(Home(tmp_path / "node")) as node:
        (tmp_path / "api.key").write_text(node.token)
        reach = ("--node", node.url, "--genesis", genesis, "--api-key-file", tmp_path / "api.key")
        with run_counter(VerifierIdentity.of_did(did, kid, key)) as counter:
            words = ("present", counter.ask().uri, "--loopback", *reach)
            assert did in wallet(*words, code=1).found["verifier"]
            assert f"{did} asks" in wallet(*words, typed=[], code=1).out
        with run_counter(VerifierIdentity.of_did(did, kid, stranger)) as counter:
            told = wallet("present", counter.ask().uri, "--loopback", *reach, code=2).err
            assert "signature" in told


def test_a_verifier_with_a_certificate_is_believed_under_a_root_that_is_named(wallet, tmp_path):
    for name in ("ours", "other"):
        (tmp_path / name).mkdir()
        Authority(tmp_path / name).issue("shop")
    folder = tmp_path / "ours"
    certificate = x509.load_pem_x509_certificate((folder / "shop.crt").read_bytes())
    private = load_pem_private_key((folder / "shop.key").read_bytes(), None)
    secret = private.private_numbers().private_value.to_bytes(32, "big")
    key = load_private_key(KeyKind.P256, secret)
    chain = (certificate.public_bytes(Encoding.DER),)
    with run_counter(VerifierIdentity.of_certificate(chain, key)) as counter:
        words = ("present", counter.ask().uri, "--loopback")
        for trusted in ((), ("--trust", tmp_path / "other" / "ca.crt")):
            assert "no root that is trusted" in wallet(*words, *trusted, code=2).err
        trusted = ("--trust", folder / "ca.crt", "--trust", tmp_path / "other" / "ca.crt")
        assert wallet(*words, *trusted, code=1).found["verifier"].startswith("x509_hash:")
        assert "certificate that you trust" in wallet(*words, *trusted, typed=[], code=1).out
