"""Small models of risk control, signed, for any features."""

from __future__ import annotations

import hashlib

import numpy as np

from hansa.kernel.crypto.signatures import Suite, public_key_of, sign
from hansa.risk.models.calibration import Calibration
from hansa.risk.models.file import (
    Card,
    Manifest,
    Metric,
    Signed,
    Source,
    build_message,
    encode_arrays,
    write_model,
)
from hansa.risk.models.trees import NEVER, Trees

KEY = bytes(31) + b"\x07"
TREES = Trees(
    feature=np.array([1, 0, 0], np.uint32),
    threshold=np.array([500, NEVER, NEVER]),
    left=np.array([1, 1, 2], np.uint32),
    value=np.array([0, -(2**32), 2**32]),
    roots=np.array([0], np.uint32),
)
CALIBRATION = Calibration(np.array([-(2**32), 2**32]), np.array([10, 900_000]))


def write_small(features, *, name="retail", trees=TREES, calibration=CALIBRATION, version=1):
    """Write a model file of one tree, unless others are given."""
    arrays = encode_arrays(trees, calibration)
    manifest = Manifest(
        version,
        name,
        1_700_000_000_000,
        tuple(features),
        (Source("days.parquet", bytes(32), 1_000, 9, 0, 10, "training"),),
        (Metric("average_precision", 740_000),),
        Card("To find fraud in retail payments.", "Tried on one month.", "River Bank"),
        hashlib.sha256(arrays).digest(),
    )
    signature = sign(Suite.ED25519, KEY, build_message(manifest))
    signed = Signed(Suite.ED25519, public_key_of(Suite.ED25519, KEY), signature)
    return write_model(manifest, signed, arrays)
