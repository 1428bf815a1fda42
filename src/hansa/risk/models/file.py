"""A model as a file: what it is, who made it, and its arrays, signed as a whole.

The manifest tells what the model was made of and how good it was; its hash names the model, on the
ledger too. A file that was changed does not open, nor does one whose arrays could lead a walk out
of them or round in them: every child stands behind its parent.

Source: docs/reference/risk-models.md.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from hansa.kernel.crypto.signatures import SignatureCheck, check_public_key, verify_many
from hansa.kernel.encoding import Decoder, Document, encode
from hansa.kernel.errors import Invalid, InvalidCode
from hansa.risk.models.calibration import MILLION, Calibration
from hansa.risk.models.trees import NEVER, SCALE_BITS, Trees

FORMAT_VERSION = 1
FILE_BYTES_MAX = 1 << 28
TREES_MAX = 10_000
_VALUE_MAX = 1 << (SCALE_BITS + 16)
"""Of a node; the values of all trees then add up within 63 bits."""
_SCORE_MAX = 1 << (62 - MILLION.bit_length())
"""Of a point of the calibration; the line between two of them stays within 63 bits."""
_PREFIX = b"hansa risk model\x00"
"""Before what is signed, so that no other signature of that key passes for this."""


class Source(Document, frozen=True, array_like=True):
    """Data that the model was made of."""

    name: str
    sha256: bytes
    rows: int
    frauds: int
    from_ms: int
    to_ms: int
    use: str
    """`training`, `calibration` or `test`."""


class Metric(Document, frozen=True, array_like=True):
    """How good it was, on data that it had not seen."""

    name: str
    millionths: int


class Card(Document, frozen=True, array_like=True):
    """What whoever approves the model is to know of it, in words."""

    purpose: str
    limits: str
    """What it cannot do, and on whom it was not tried."""
    made_by: str


class Manifest(Document, frozen=True, array_like=True):
    """What a model is. Its SHA-256, as encoded, names the model."""

    format_version: int
    name: str
    made_ms: int
    features: tuple[str, ...]
    """What its trees ask of, by their number there; a row may have more, in another order."""
    sources: tuple[Source, ...]
    metrics: tuple[Metric, ...]
    card: Card
    arrays_sha256: bytes

    @property
    def model_id(self) -> bytes:
        """The hash that names the model, 32 bytes."""
        return hashlib.sha256(encode(self)).digest()


class Signed(Document, frozen=True, array_like=True):
    """Who vouches for the manifest."""

    suite: int
    public_key: bytes
    signature: bytes


class _Arrays(Document, frozen=True, array_like=True):
    """The arrays, as bytes of little-endian numbers."""

    feature: bytes
    threshold: bytes
    left: bytes
    value: bytes
    roots: bytes
    score: bytes
    ppm: bytes


class _File(Document, frozen=True, array_like=True):
    manifest: bytes
    signed: Signed
    arrays: bytes


class Model(NamedTuple):
    """A model that may be asked."""

    manifest: Manifest
    signed: Signed
    trees: Trees
    calibration: Calibration


_decode_file: Decoder[_File] = Decoder(_File, "the model file")
_decode_manifest: Decoder[Manifest] = Decoder(Manifest, "the model's manifest")
_decode_arrays: Decoder[_Arrays] = Decoder(_Arrays, "the model's arrays")


def encode_arrays(trees: Trees, calibration: Calibration) -> bytes:
    """Write the arrays of a model; their SHA-256 is part of its manifest."""
    return encode(
        _Arrays(
            *(
                each.astype(each.dtype.newbyteorder("<")).tobytes()
                for each in (*trees, *calibration)
            )
        )
    )


def build_message(manifest: Manifest) -> bytes:
    """Build what the maker of a model signs."""
    return _PREFIX + manifest.model_id


def write_model(manifest: Manifest, signed: Signed, arrays: bytes) -> bytes:
    """Write a model file.

    Args:
      manifest: with the hash of the arrays.
      signed: by whoever made the model, of `build_message`.
      arrays: from `encode_arrays`.
    """
    return encode(_File(encode(manifest), signed, arrays))


def read_model(raw: bytes, name: str, features: Sequence[str]) -> Model:
    """Read a model file, and check all that can be checked without knowing its maker.

    Args:
      raw: its bytes.
      name: what it is called in errors.
      features: of the rows that it is to score; its trees then ask for them by their places there.

    Raises:
      Invalid: it is none, was changed, or asks for a feature that these rows have not.
    """
    if len(raw) > FILE_BYTES_MAX:
        raise _tell(name, f"has {len(raw)} bytes: at most {FILE_BYTES_MAX} are read")
    try:
        file = _decode_file.decode(raw)
        manifest = _decode_manifest.decode(file.manifest)
        check_public_key(file.signed.suite, file.signed.public_key)
    except Invalid as error:
        raise Invalid(
            error.code, f"{name}: no model file, or not whole: get the file anew ({error})"
        ) from None
    if manifest.format_version != FORMAT_VERSION:
        raise _tell(name, f"has version {manifest.format_version}: {FORMAT_VERSION} is known")
    signed = file.signed
    check = SignatureCheck(
        signed.suite, signed.public_key, signed.signature, build_message(manifest)
    )
    if verify_many([check]) != [True]:
        raise Invalid(
            InvalidCode.SIGNATURE,
            f"{name}: its manifest is not what its maker signed: get the file anew",
        )
    if hashlib.sha256(file.arrays).digest() != manifest.arrays_sha256:
        raise _tell(name, "its arrays are not those of its manifest: get the file anew")
    places = _find_places(name, manifest.features, features)
    trees, calibration = _read_arrays(name, file.arrays)
    _check_trees(name, trees, len(places))
    _check_calibration(name, calibration)
    placed = trees._replace(feature=np.array(places, np.uint32)[trees.feature])
    return Model(manifest, signed, placed, calibration)


def _find_places(name: str, asked: Sequence[str], features: Sequence[str]) -> list[int]:
    """Find the features that a model asks for in rows, which may have more of them."""
    place_of = {feature: place for place, feature in enumerate(features)}
    missing = [each for each in asked if each not in place_of]
    if missing or not asked:
        told = ", ".join(f"no {each}" for each in missing) or "none that it asks for"
        raise _tell(name, f"was made for other features; there is here {told}")
    if len(set(asked)) < len(asked):
        raise _tell(name, "names a feature twice")
    return [place_of[each] for each in asked]


def _read_arrays(name: str, raw: bytes) -> tuple[Trees, Calibration]:
    try:
        arrays = _decode_arrays.decode(raw)
    except Invalid as error:
        raise Invalid(error.code, f"{name}: {error}") from None
    kinds = {"feature": "<u4", "left": "<u4", "roots": "<u4"}
    read: dict[str, npt.NDArray[np.generic]] = {}
    for each in arrays.__struct_fields__:
        kind = np.dtype(kinds.get(each, "<i8"))
        raw_array = getattr(arrays, each)
        if len(raw_array) % kind.itemsize:
            raise _tell(name, f"its array {each} ends within a number")
        read[each] = np.frombuffer(raw_array, kind).astype(kind.newbyteorder("="))
    trees = Trees(*(read[each] for each in Trees._fields))  # type: ignore[arg-type]
    calibration = Calibration(read["score"], read["ppm"])  # type: ignore[arg-type]
    return trees, calibration


def _check_trees(name: str, trees: Trees, features: int) -> None:
    """Refuse trees in which a walk could leave the arrays, or not end."""
    nodes = len(trees.left)
    if {len(each) for each in trees[:4]} != {nodes} or not 0 < len(trees.roots) <= TREES_MAX:
        raise _tell(name, "its arrays have different lengths, or there is no tree")
    at = np.arange(nodes)
    left = trees.left.astype(np.int64)
    is_leaf = left == at
    is_sound = (
        (trees.feature < features).all()
        and (left[~is_leaf] > at[~is_leaf]).all()
        and (left[~is_leaf] < nodes - 1).all()
        and (trees.threshold[is_leaf] == NEVER).all()
        and (trees.roots < nodes).all()
        and _is_within(trees.value, _VALUE_MAX)
    )
    if not is_sound:
        raise _tell(name, "its trees are none: a node leads out of them, back, or to no feature")


def _check_calibration(name: str, calibration: Calibration) -> None:
    score, ppm = calibration
    is_sound = (
        0 < len(score) == len(ppm)
        and _is_within(score, _SCORE_MAX)
        and _is_within(ppm, MILLION + 1)
        and (np.diff(score) > 0).all()
        and (np.diff(ppm) >= 0).all()
        and (np.abs(score) < 1 << 62 - MILLION.bit_length()).all()
        and ppm[0] >= 0
        and ppm[-1] <= MILLION
    )
    if not is_sound:
        raise _tell(name, "its calibration is none: it must rise, from 0 to a million at most")


def _is_within(numbers: npt.NDArray[np.int64], bound: int) -> bool:
    return bool(((-bound < numbers) & (numbers < bound)).all())


def _tell(name: str, what: str) -> Invalid:
    return Invalid(InvalidCode.MALFORMED, f"{name}: {what}")
