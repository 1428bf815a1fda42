"""The batch verifier against the kernel's: they may never find different things."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.kernel.crypto import test_ed25519 as curve

from hansa.engine.batch_verifier import VARIABLE, BatchVerifier, find_library, load_verify_many
from hansa.kernel.crypto.signatures import (
    REFUSED_ED25519_KEYS,
    SignatureCheck,
    Suite,
    public_key_of,
    sign,
    verify_many,
)
from hansa.kernel.errors import Unavailable

VECTORS = Path(__file__).parents[2] / "vectors" / "signatures" / "verify.json"


def make_check(suite, number, message):
    key = (number + 1).to_bytes(32, "big")
    return SignatureCheck(suite, public_key_of(suite, key), sign(suite, key, message), message)


def list_crafted():
    """Signatures on which verifiers other than those of ZIP-215 differ, and forged ones."""
    found = [
        SignatureCheck(Suite.ED25519, key, signature, curve.MESSAGE)
        for key, signature in curve.mixed_order_samples()
    ]
    found += [
        SignatureCheck(Suite.ED25519, key, signature, curve.MESSAGE)
        for samples, _, _ in curve.DIFFERENCES.values()
        for key, signature in samples
    ]
    forged = curve.encode(curve.IDENTITY) + bytes(32)
    found += [
        SignatureCheck(Suite.ED25519, key, forged, b"") for key in sorted(REFUSED_ED25519_KEYS)
    ]
    return found


CRAFTED = list_crafted()


def test_vectors_alone_and_together(batch_verifier):
    cases = json.loads(VECTORS.read_text())
    checks = [
        SignatureCheck(
            case["input"]["suite"],
            *(
                bytes.fromhex(case["input"][name])
                for name in ("public_key", "signature", "message")
            ),
        )
        for case in cases
    ]
    expected = ["post" in case for case in cases]
    assert batch_verifier.verify_many(checks) == expected
    assert batch_verifier.verify_many(checks[::-1]) == expected[::-1]
    assert [batch_verifier.verify_many([check])[0] for check in checks] == expected


def test_crafted_signatures_are_accepted_together_as_alone(batch_verifier):
    accepted = [check for check in CRAFTED if verify_many([check]) == [True]]
    assert len(accepted) > 150
    assert batch_verifier.verify_many(accepted) == [True] * len(accepted)
    assert [batch_verifier.verify_many([check]) for check in accepted] == [[True]] * len(accepted)
    assert batch_verifier.verify_many(CRAFTED) == verify_many(CRAFTED)


CHECKS = st.builds(
    make_check,
    st.sampled_from([Suite.ED25519, Suite.ED25519, Suite.ED25519, Suite.P256, Suite.SECP256K1]),
    st.integers(0, 7),
    st.binary(max_size=80),
)


@st.composite
def spoiled_checks(draw):
    """Checks that are good, crafted, changed in one bit, cut, or of another suite."""
    check = draw(st.one_of(CHECKS, st.sampled_from(CRAFTED)))
    field = draw(st.sampled_from([None, None, None, "public_key", "signature", "message", "suite"]))
    if field is None:
        return check
    if field == "suite":
        return check._replace(suite=draw(st.integers(0, 4)))
    value = getattr(check, field)
    if draw(st.booleans()):
        return check._replace(**{field: value[: draw(st.integers(0, len(value)))]})
    bit = draw(st.integers(0, max(8 * len(value) - 1, 0)))
    number = int.from_bytes(value, "little") ^ 1 << bit
    return check._replace(**{field: number.to_bytes(max(len(value), 1), "little")})


@given(st.lists(spoiled_checks(), max_size=150))
def test_both_find_the_same(batch_verifier, checks):
    assert batch_verifier.verify_many(checks) == verify_many(checks)


def test_a_thousand_at_once_and_one_forged_among_them(batch_verifier):
    checks = [make_check(Suite.ED25519, number % 20, b"%d" % number) for number in range(1_000)]
    assert batch_verifier.verify_many(checks) == [True] * 1_000
    checks[617] = checks[617]._replace(message=b"another")
    assert batch_verifier.verify_many(checks) == [number != 617 for number in range(1_000)]


SOURCE = """
long hansa_verifier_interface(void) {{ return {interface}; }}
void hansa_verify_ed25519(long count, char *input, long bytes, char *verdicts) {{
    for (long at = 0; at < count; at++) verdicts[at] = {verdict};
}}
"""


def build(folder, interface, verdict):
    """Build a library that finds the same of every signature."""
    source, library = folder / "made.c", folder / f"made{interface}{verdict}.so"
    source.write_text(SOURCE.format(interface=interface, verdict=verdict))
    subprocess.run(["cc", "-shared", "-fPIC", "-o", library, source], check=True)
    return library


def test_what_is_no_verifier_is_said_and_not_used(compiled, tmp_path):
    library = tmp_path / "broken.so"
    library.write_bytes(b"nothing")
    with pytest.raises(Unavailable, match="make verifier"):
        BatchVerifier(library)
    with pytest.raises(Unavailable, match="hansa_verify_ed25519"):
        BatchVerifier(next(Path("/lib").glob("*/libc.so.6")))
    with pytest.raises(Unavailable, match="interface 2, not 1"):
        BatchVerifier(build(tmp_path, 2, 1))
    for verdict in (0, 1):
        with pytest.raises(Unavailable, match="ZIP-215"):
            BatchVerifier(build(tmp_path, 1, verdict))
    assert load_verify_many(library) is verify_many
    assert load_verify_many(None) is verify_many


def test_the_variable_names_another_library(tmp_path):
    ask = "from hansa.engine.batch_verifier import find_library; print(find_library())"

    def run(path):
        command = [sys.executable, "-c", ask]
        return subprocess.run(
            command, env={VARIABLE: str(path)}, capture_output=True, text=True, check=False
        )

    library = tmp_path / "other.so"
    library.touch()
    assert run(library).stdout.strip() == str(library)
    assert f"{VARIABLE} names {tmp_path / 'none'}, and there is no such file" in (
        run(tmp_path / "none").stderr
    )
    assert run("").stdout.strip() == str(find_library())
