"""`hansa bench identity`: credentials issued and verified, DIDs and evidence on the ledger.

What needs no ledger runs in this process, on one core, round after round until its time is over;
the best of its rounds counts, as the machine has other things to do. DIDs and evidence go through
the embedded engine and count once they are durable.

Source: docs/performance.md.
"""

from __future__ import annotations

import asyncio
import itertools
import secrets
import shutil
import tempfile
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from hansa.contracts.identity import accreditation, documents, status
from hansa.identity.bbs.ciphersuites import BBS_SHA_256
from hansa.identity.bbs.secret_keys import generate_secret_key
from hansa.identity.bbs_2023.suite import (
    add_base_proof,
    choose_mandatory_pointers,
    derive,
    verify_derived,
)
from hansa.identity.data_integrity.contexts import Contexts, load_pinned
from hansa.identity.data_integrity.proofs import (
    Expected,
    FindKey,
    Proof,
    add_proof,
    verify_proofs,
)
from hansa.identity.keys.kinds import KeyKind
from hansa.identity.keys.signing import PrivateKey, generate_private_key, verify_signature
from hansa.identity.methods.hansa import write_did
from hansa.identity.naming import ListName, write_list_url, write_type
from hansa.identity.sd_jwt.credential import Credential, issue_credential, verify_credential
from hansa.identity.sd_jwt.presentation import bind_sd_jwt
from hansa.identity.sd_jwt.serialization import decode_sd_jwt
from hansa.identity.sd_jwt.verification import Challenge
from hansa.identity.status.reference import StatusReference
from hansa.identity.verifier.examination import Asked
from hansa.identity.verifier.formats.sd_jwt import examine
from hansa.identity.verifier.judgement import judge
from hansa.identity.verifier.ledger import LedgerRegistry
from hansa.kernel.crypto.address import address_of, to_text
from hansa.kernel.crypto.hashing import crypto_profile
from hansa.kernel.crypto.signatures import Suite
from hansa.kernel.errors import Unavailable
from hansa.kernel.rows import KeyPart, Row
from hansa.node.bench.identity.peers import measure_peers
from hansa.node.bench.identity.registering import measure_registering
from hansa.node.bench.identity.samples import (
    CHALLENGE,
    CLAIMS,
    CONTEXT,
    DOCUMENT,
    METHOD,
    NOW,
    NOW_MS,
    SHOWN,
    TERMS,
    TYPE,
    VALID_S,
    Measure,
    count_rounds,
)
from hansa.node.bench.load import create_bench_home
from hansa.node.bench.machine import describe_machine
from hansa.sdk.evidence import EvidenceBatch

R = TypeVar("R", bound=Row)
BATCH = 100_000


@dataclass(frozen=True, slots=True)
class IdentitySettings:
    """What is measured."""

    clients: Path
    """Whose `node_modules` has others' packages; without it, those of Python alone are measured."""
    seconds: float = 1.0
    """For each rate that needs no ledger."""
    registered: int = 20_000
    """DIDs created, and hashes notarised one by one."""


def run_identity_bench(settings: IdentitySettings) -> dict[str, Any]:
    """Run the benchmark; returns the object that `--json` prints."""
    measure = partial(_measure, settings.seconds)
    key = generate_private_key(KeyKind.ED25519, secrets.token_bytes)
    return {
        "name": "identity",
        "machine": describe_machine(),
        "settings": {
            "claims": len(CLAIMS),
            "key": key.kind.value,
            "seconds": settings.seconds,
            "registered": settings.registered,
            "cores": "one, but for what goes through the ledger",
        },
        **_measure_signatures(measure, key),
        **_measure_sd_jwt(measure, key),
        **_measure_data_integrity(measure, key),
        **_measure_bbs(measure),
        "full_verify_per_s": _measure_full(measure, key),
        "evidence_batched_per_s": _measure_batches(measure),
        **_measure_ledger(settings.registered),
        "peers": measure_peers(measure, settings.seconds, settings.clients),
    }


def _measure(seconds: float, step: Callable[[], object]) -> int:
    """Measure how often a step is done a second: the best of several rounds of processor time."""
    step()
    begun = time.process_time()
    step()
    once = max(time.process_time() - begun, 1e-6)
    rounds = count_rounds(seconds)
    steps = max(1, int(seconds / rounds / once))
    best = 0.0
    for _ in range(rounds):
        begun = time.process_time()
        for _ in itertools.repeat(None, steps):
            step()
        best = max(best, steps / max(time.process_time() - begun, 1e-9))
    return round(best)


def _measure_signatures(measure: Measure, key: PrivateKey) -> dict[str, int]:
    """Measure the bare signatures, which nothing that signs or verifies can pass."""
    message = bytes(500)
    signature = key.sign(message)
    return {
        "ed25519_sign_per_s": measure(lambda: key.sign(message)),
        "ed25519_verify_per_s": measure(
            lambda: verify_signature(key.public_key, message, signature)
        ),
    }


def _measure_sd_jwt(measure: Measure, key: PrivateKey) -> dict[str, int]:
    holder = generate_private_key(KeyKind.ED25519, secrets.token_bytes)
    credential = Credential(
        vct=TYPE,
        claims=CLAIMS,
        issuer="https://issuer.example",
        holder_key=holder.public_key,
        issued_s=NOW,
        expires_s=NOW + VALID_S,
    )
    header = {"kid": "key"}

    def issue() -> str:
        return issue_credential(key, credential, secrets.token_bytes, header).encode()

    text = issue()
    bound = bind_sd_jwt(decode_sd_jwt(text), holder, CHALLENGE, NOW).encode()

    def verify(presented: str, challenge: Challenge | None) -> None:
        verify_credential(decode_sd_jwt(presented), key.public_key, NOW, challenge)

    return {
        "sdjwt_issue_per_s": measure(issue),
        "sdjwt_verify_per_s": measure(partial(verify, text, None)),
        "sdjwt_verify_bound_per_s": measure(partial(verify, bound, CHALLENGE)),
    }


def _load_contexts() -> Contexts:
    return load_pinned().extend({CONTEXT: {"@context": TERMS}})


def _measure_data_integrity(measure: Measure, key: PrivateKey) -> dict[str, int]:
    contexts = _load_contexts()
    found: dict[str, int] = {}
    find_key: FindKey = lambda _method, _purpose: key.public_key  # noqa: E731 - one of this type
    for name, suite in (("jcs", "eddsa-jcs-2022"), ("rdfc", "eddsa-rdfc-2022")):
        proof = Proof(suite, METHOD, created_ms=NOW_MS)
        issue = partial(add_proof, DOCUMENT, key, proof, contexts)
        verify = partial(verify_proofs, issue(), contexts, Expected(NOW_MS), find_key)
        found[f"{name}_issue_per_s"] = measure(issue)
        found[f"{name}_verify_per_s"] = measure(verify)
    return found


def _measure_bbs(measure: Measure) -> dict[str, int]:
    contexts = _load_contexts()
    key = generate_secret_key(BBS_SHA_256, secrets.token_bytes)
    proof = Proof("bbs-2023", METHOD, created_ms=NOW_MS)
    mandatory = choose_mandatory_pointers(DOCUMENT)
    issue = partial(add_base_proof, DOCUMENT, key, proof, mandatory, contexts, secrets.token_bytes)
    issued = issue()
    show = partial(derive, issued, SHOWN, b"header", contexts, secrets.token_bytes)
    verify = partial(verify_derived, show(), key.public_key, b"header", contexts)
    return {
        "bbs_issue_per_s": measure(issue),
        "bbs_derive_per_s": measure(show),
        "bbs_verify_per_s": measure(verify),
    }


class _Rows:
    """Rows in memory, as a registry reads them."""

    def __init__(self, *rows: Row) -> None:
        self._rows = {(type(each), *_read_key(each)): each for each in rows}

    def get(self, row_type: type[R], *key: KeyPart) -> R | None:
        """Get a row, or None if there is none."""
        found = self._rows.get((row_type, *key))
        return found if isinstance(found, row_type) else None


def _read_key(row: Row) -> tuple[KeyPart, ...]:
    return tuple(getattr(row, name) for name in row.KEY)


def _measure_full(measure: Measure, key: PrivateKey) -> int:
    """Measure verifications with all that is asked of the ledger: key, accreditation, status."""
    digest = crypto_profile("sha256").digest
    holder = generate_private_key(KeyKind.ED25519, secrets.token_bytes)
    address = address_of(Suite.ED25519, key.public_key.data, digest)
    length = 100_000
    rows = _Rows(
        documents.Document(address, 1, 0, deactivated=False, content=documents.EMPTY),
        documents.PublicKey(address, Suite.ED25519, key.public_key.data),
        accreditation.Grant(
            address,
            "bench",
            accreditation.NETWORK,
            accreditation.State.GRANTED,
            0,
            0,
            2 * NOW_MS,
            1,
            0,
        ),
        status.StatusList(address, 1, status.Bits(2), length, 1, 0, bytes(32), ()),
    )
    registry = LedgerRegistry(rows, "bench", lambda: NOW_MS)
    issuer = write_did("bench", address)
    place = StatusReference(write_list_url("https://issuer.example", ListName(address, 1)), 7)
    credential = Credential(
        vct=write_type("bench", "bench"),
        claims=CLAIMS,
        issuer=issuer,
        holder_key=holder.public_key,
        issued_s=NOW,
        expires_s=NOW + VALID_S,
        status=place,
    )
    header = {"kid": f"{issuer}#{to_text(address)}"}
    issued = issue_credential(key, credential, secrets.token_bytes, header)
    text = bind_sd_jwt(issued, holder, CHALLENGE, NOW).encode()
    asked = Asked("bench", CHALLENGE, needs_binding=True, transactions=(), transcript=b"")

    async def verify() -> bool:
        examined = await examine(text, asked, registry, NOW_MS)
        if examined.judged is None:
            return False
        findings = examined.findings + await judge(examined.judged, registry, NOW_MS)
        return all(each.fault is None for each in findings)

    if not asyncio.run(verify()):
        raise Unavailable("the benchmark's credential does not verify")
    return measure(lambda: _finish(verify()))


def _finish(coroutine: Coroutine[Any, Any, bool]) -> None:
    """Run a coroutine that waits for nothing."""
    try:
        coroutine.send(None)
    except StopIteration:
        return


def _measure_batches(measure: Measure) -> int:
    """Measure how many hashes are put under one root, each with its path to it."""
    digest = crypto_profile("sha256").digest
    hashes = [digest(number.to_bytes(8, "big")) for number in range(BATCH)]
    return BATCH * measure(partial(EvidenceBatch.of, hashes, digest))


def _measure_ledger(count: int) -> dict[str, int]:
    folder = Path(tempfile.mkdtemp(prefix="hansa-bench-"))
    try:
        return asyncio.run(measure_registering(create_bench_home(folder / "home"), count))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
