"""Vectors of tiers: names towards an operator, nonces, hashes of presentations, nullifiers."""

from __future__ import annotations

from hashlib import sha256

from tests.vectors.parts import NETWORKS, START_MS, key

from hansa.contracts.wallets import Category
from hansa.identity.tiers import (
    Intent,
    compute_nullifier,
    compute_pairwise_subject,
    compute_presentation_hash,
    compute_presentation_nonce,
)

PERSON = "resident-0000001"
PRESENTATION = "eyJhbGciOiJFZERTQSJ9.eyJ2Y3QiOiJ4In0.c2ln~WyJzYWx0IiwiYSIsMV0~eyJ9.e30.c2ln"


def make_tiers() -> list[dict]:
    """What each network makes of one person, wallet and presentation, by category and operator."""
    secret = sha256(b"vector\x00issuer of tiers").digest()
    wallet = key("ann").address
    cases = []
    for name, network in list(NETWORKS.items())[:2]:
        genesis, digest = network.genesis_hash, network.digest
        for operator in ("north", "small"):
            keeper = key(operator).address
            subject = compute_pairwise_subject(secret, PERSON, keeper)
            for category in (Category.I, Category.III):
                expires_ms = START_MS + 3_600_000 * category
                intent = Intent(wallet, keeper, category, expires_ms)
                nonce = compute_presentation_nonce(genesis, intent, digest)
                shown = compute_presentation_hash(genesis, PRESENTATION, digest)
                nullifier = compute_nullifier(genesis, subject, category, digest)
                cases.append(
                    {
                        "name": f"category {category.name} at {operator}, {name}",
                        "pre": {"network": name},
                        "input": {
                            "secret": secret.hex(),
                            "person": PERSON,
                            "wallet": wallet.hex(),
                            "operator": keeper.hex(),
                            "category": category.value,
                            "expires_ms": expires_ms,
                            "presentation": PRESENTATION,
                        },
                        "post": {
                            "pairwise_subject": subject,
                            "nullifier": nullifier.hex(),
                            "nonce": nonce,
                            "presentation_hash": shown.hex(),
                        },
                    }
                )
    return cases
