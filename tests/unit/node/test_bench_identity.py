"""The benchmark of identity, for a moment: every figure that it names is measured."""

from __future__ import annotations

from hansa.node.bench.identity import IdentitySettings, run_identity_bench

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


def test_every_rate_is_measured():
    found = run_identity_bench(IdentitySettings(seconds=0.01, registered=125))
    assert found["name"] == "identity"
    rates = {name: value for name, value in found.items() if name.endswith("_per_s")}
    assert set(rates) == RATES
    assert all(isinstance(value, int) and value > 0 for value in rates.values())
    assert found["full_verify_per_s"] < found["sdjwt_verify_per_s"]
