"""Write the vectors anew: `python -m tests.vectors.generate`, from the root of the repository.

Everything is made from names and numbers: the same files each time. A test holds the files to
what this makes.
"""

from __future__ import annotations

import json
from pathlib import Path

from tests.vectors import (
    make_batches,
    make_blocks,
    make_envelopes,
    make_evidence,
    make_genesis,
    make_hostile,
    make_messages,
    make_money,
    make_risk,
    make_sd_jwts,
    make_snapshots,
    make_streams,
    make_tiers,
    make_votes,
)

FOLDER = Path(__file__).resolve().parent
FAMILIES = {
    "genesis/networks.json": make_genesis.make_networks,
    "genesis/vectors.json": make_genesis.make_genesis_cases,
    "envelopes/vectors.json": make_envelopes.make_envelopes,
    "batches/vectors.json": make_batches.make_batches,
    "attestations/vectors.json": make_blocks.make_attestations,
    "possession/vectors.json": make_blocks.make_possession,
    "headers/vectors.json": make_blocks.make_headers,
    "receipts/encodings.json": make_blocks.make_receipts,
    "accounts/rows.json": make_blocks.make_rows,
    "accounts/authority.json": make_blocks.make_authority,
    "nonces/vectors.json": make_blocks.make_nonces,
    "tiers/vectors.json": make_tiers.make_tiers,
    "messages/vectors.json": make_messages.make_messages,
    "money/vectors.json": make_money.make_money,
    "risk_commitment/rows.json": make_risk.make_rows,
    "risk_commitment/vectors.json": make_risk.make_risk,
    "sd_jwt/vectors.json": make_sd_jwts.make_sd_jwts,
    **{f"hostile/{name}.json": make for name, make in make_hostile.MAKERS.items()},
    "light/votes.json": make_votes.make_votes,
    "snapshots/vectors.json": make_snapshots.make_snapshots,
    "evidence/vectors.json": make_evidence.make_evidence,
    "streams/sha256.json": lambda: make_streams.make_stream("vectors"),
    "streams/sm3.json": lambda: make_streams.make_stream("vectors-sm3"),
}


def render(name: str) -> str:
    """Make the text of one file; nonces begin anew in each."""
    make_envelopes.FORGE.count = 0
    return json.dumps(FAMILIES[name](), indent=1, ensure_ascii=False) + "\n"


def main() -> None:
    for name in FAMILIES:
        path = FOLDER / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(render(name))
        print(path.relative_to(FOLDER), path.stat().st_size)  # noqa: T201 - a program


if __name__ == "__main__":
    main()
