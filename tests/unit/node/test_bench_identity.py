"""The benchmark of identity, for a moment: every figure that it names is measured."""

from __future__ import annotations

import pytest
from tests.clients.foreign import FOLDER

from hansa.kernel.errors import Unavailable
from hansa.node.bench.identity.peers import measure_peers
from hansa.node.bench.identity.rates import IdentitySettings, run_identity_bench

RATES = {
    "sdjwt_issue_per_s",
    "sdjwt_verify_per_s",
    "sdjwt_verify_bound_per_s",
    "jcs_issue_per_s",
    "jcs_verify_per_s",
    "rdfc_issue_per_s",
    "rdfc_verify_per_s",
    "bbs_issue_per_s",
    "bbs_derive_per_s",
    "bbs_verify_per_s",
    "full_verify_per_s",
    "evidence_batched_per_s",
    "did_create_per_s",
    "evidence_per_s",
    "did_resolve_local_per_s",
    "did_resolve_per_s",
    "ed25519_sign_per_s",
    "ed25519_verify_per_s",
}


OF_PYTHON = {
    "sd-jwt": {"sdjwt_issue_per_s", "sdjwt_verify_per_s"},
    "openvc-core": {
        "sdjwt_issue_per_s",
        "sdjwt_verify_per_s",
        "sdjwt_verify_bound_per_s",
        "jcs_issue_per_s",
        "jcs_verify_per_s",
    },
}
OF_NODE = {
    "@sd-jwt/sd-jwt-vc": {"sdjwt_issue_per_s", "sdjwt_verify_per_s", "sdjwt_verify_bound_per_s"},
    "@digitalbazaar/data-integrity": {
        "jcs_issue_per_s",
        "jcs_verify_per_s",
        "rdfc_issue_per_s",
        "rdfc_verify_per_s",
    },
    "@digitalbazaar/bbs-2023-cryptosuite": {
        "bbs_issue_per_s",
        "bbs_derive_per_s",
        "bbs_verify_per_s",
    },
}


def measure_once(step):
    step()
    return 1


def name_rates(peers):
    """Name what was measured of each package, whatever its version."""
    return {name.partition(" ")[0]: set(rates) for name, rates in peers.items()}


def test_every_rate_is_measured(tmp_path):
    found = run_identity_bench(IdentitySettings(tmp_path, seconds=0.03, registered=125))
    assert found["name"] == "identity"
    rates = {name: value for name, value in found.items() if name.endswith("_per_s")}
    assert set(rates) == RATES
    assert all(isinstance(value, int) and value > 0 for value in rates.values())
    assert name_rates(found["peers"]) == OF_PYTHON
    assert all(rate > 0 for peer in found["peers"].values() for rate in peer.values())


def test_peers_of_node_are_measured_where_they_are_installed():
    if not (FOLDER / "node_modules" / ".hansa-lock").exists():
        pytest.skip("the foreign clients are not installed: make clients")
    found = measure_peers(measure_once, 0.01, FOLDER)
    assert name_rates(found) == OF_PYTHON | OF_NODE
    assert all(rate > 0 for peer in found.values() for rate in peer.values())


def test_a_peer_that_fails_is_told(tmp_path):
    package = tmp_path / "node_modules/@sd-jwt/sd-jwt-vc"
    package.mkdir(parents=True)
    (package / "package.json").write_text('{"version": "9.9.9"}')
    with pytest.raises(Unavailable, match=r"could not be measured: Error .*@sd-jwt/crypto-nodejs"):
        measure_peers(measure_once, 0.01, tmp_path)
