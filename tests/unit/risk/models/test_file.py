"""A model file opens as what it was, and as nothing else."""

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.modelled import CALIBRATION, KEY, TREES, write_small

from hansa.kernel.crypto.signatures import Suite, public_key_of
from hansa.kernel.errors import Invalid
from hansa.risk.models.calibration import Calibration
from hansa.risk.models.file import read_model
from hansa.risk.models.trees import NEVER, score_row

FEATURES = ("amount_minor", "age_ms")


def write(**changes):
    return write_small(FEATURES, **changes)


def test_what_was_written_is_read():
    model = read_model(write(), "m.model", FEATURES)
    assert [score_row(model.trees, np.array([0, age])) for age in (500, 501)] == [-(2**32), 2**32]
    for told, read in zip((*TREES, *CALIBRATION), (*model.trees, *model.calibration), strict=True):
        assert np.array_equal(told, read)
        assert told.dtype == read.dtype
    assert model.manifest.metrics[0].millionths == 740_000
    assert model.signed.public_key == public_key_of(Suite.ED25519, KEY)


@settings(max_examples=60)
@given(st.data())
def test_a_changed_byte_or_a_cut_file_does_not_open(data):
    raw = bytearray(write())
    place = data.draw(st.integers(0, len(raw) - 1))
    if data.draw(st.booleans()):
        raw[place] ^= 1 << data.draw(st.integers(0, 7))
    else:
        del raw[place:]
    with pytest.raises(Invalid, match=r"^m\.model: "):
        read_model(bytes(raw), "m.model", FEATURES)


def test_a_model_for_a_feature_that_rows_have_not_does_not_open():
    for features in (("amount_minor",), ("amount_minor", "age_days")):
        with pytest.raises(Invalid, match="for other features; there is here no age_ms"):
            read_model(write(), "m.model", features)


def test_a_model_that_names_a_feature_twice_does_not_open():
    with pytest.raises(Invalid, match="names a feature twice"):
        read_model(write_small(("age_ms", "amount_minor", "age_ms")), "m.model", FEATURES)


def test_a_model_asks_for_its_features_wherever_they_stand_in_rows():
    model = read_model(write(), "m.model", ("age_ms", "hour", "amount_minor"))
    rows = [np.array([age, 9, 0]) for age in (500, 501)]
    assert [score_row(model.trees, row) for row in rows] == [-(2**32), 2**32]


@pytest.mark.parametrize(
    "change",
    [
        {"left": [1, 0, 2]},  # leads back, so a walk would not end
        {"left": [2, 1, 2]},  # its right child is behind the last node
        {"left": [2**32 - 1, 1, 2]},
        {"feature": [2, 0, 0]},
        {"threshold": [500, 3, NEVER]},  # a leaf that would be left to the right
        {"value": [0, -(2**63), 5]},
        {"roots": [3]},
        {"roots": []},
        {"value": [1, 2]},
    ],
)
def test_trees_that_would_lead_astray_do_not_open_whoever_signed_them(change):
    ((name, values),) = change.items()
    array = np.array(values, getattr(TREES, name).dtype)
    with pytest.raises(Invalid, match=r"its (trees are none|arrays have different lengths)"):
        read_model(write(trees=TREES._replace(**{name: array})), "m.model", FEATURES)


@pytest.mark.parametrize(
    ("score", "ppm"),
    [
        ([], []),
        ([0, 0], [1, 2]),
        ([0, 1], [2, 1]),
        ([0, 1], [0, 1_000_001]),
        ([0, 1], [-1, 0]),
        ([-(2**63), 2**62], [0, 1]),
        ([0], [1, 2]),
    ],
)
def test_a_calibration_that_does_not_rise_does_not_open(score, ppm):
    odd = Calibration(np.array(score, np.int64), np.array(ppm, np.int64))
    with pytest.raises(Invalid, match="its calibration is none"):
        read_model(write(calibration=odd), "m.model", FEATURES)


def test_another_version_and_a_foreign_file_are_told():
    with pytest.raises(Invalid, match="has version 2: 1 is known"):
        read_model(write(version=2), "m.model", FEATURES)
    with pytest.raises(Invalid, match=r"m\.model: no model file, or not whole: get"):
        read_model(msgspec.msgpack.encode({"a": 1.5}), "m.model", FEATURES)
