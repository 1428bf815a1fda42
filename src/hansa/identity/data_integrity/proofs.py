"""Proofs: adding them to a document, and verifying all that it has.

Several proofs beside one another are a set; one that names others as `previousProof` signs these,
too, and makes a chain. All of them must hold. A proof of a set that nothing names can be taken
away without a trace: who must have signed is for the caller to ask.

Source: W3C Verifiable Credential Data Integrity 1.0, sections 2.1, 4.2 to 4.5.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from hansa.identity.data_integrity.contexts import Contexts
from hansa.identity.data_integrity.suites import compute_signed, find_suite
from hansa.identity.encoding.multibase import BASE58, decode_base58, encode_multibase
from hansa.identity.encoding.timestamp import read_timestamp, write_timestamp
from hansa.identity.faults import Fault, Unsound
from hansa.identity.keys.kinds import PublicKey
from hansa.identity.keys.signing import Signer, verify_signature
from hansa.identity.methods.documents import Relationship

PROOF_TYPE = "DataIntegrityProof"
PROOFS_MAX = 8
AHEAD_MS_MAX = 300_000
"""How far a signer's clock may be ahead of the verifier's."""

FindKey = Callable[[str, Relationship], PublicKey]
"""Finds the key that a verification method names, if its controller lists it for this use; raises
`Unsound` with `UNRESOLVED` or `KEY`."""


class Proof(NamedTuple):
    """What a proof says of itself."""

    cryptosuite: str
    verification_method: str
    purpose: Relationship = Relationship.ASSERTION
    created_ms: int | None = None
    expires_ms: int | None = None
    domain: tuple[str, ...] = ()
    """Where it may be used."""
    challenge: str = ""
    """What the verifier gave the holder to sign."""
    nonce: str = ""
    id: str = ""
    previous: tuple[str, ...] = ()
    """Ids of the proofs that this one also signs."""

    @property
    def controller(self) -> str:
        """Whose key it is: what stands before the `#` of the verification method."""
        return self.verification_method.partition("#")[0]

    def write(self) -> dict[str, Any]:
        """Write the options as JSON, without the proof's value."""
        times = {"created": self.created_ms, "expires": self.expires_ms}
        options: dict[str, Any] = {
            "id": self.id,
            "type": PROOF_TYPE,
            "cryptosuite": self.cryptosuite,
            **{name: "" if ms is None else write_timestamp(ms) for name, ms in times.items()},
            "verificationMethod": self.verification_method,
            "proofPurpose": self.purpose.value,
            "domain": _shorten(self.domain),
            "challenge": self.challenge,
            "nonce": self.nonce,
            "previousProof": _shorten(self.previous),
        }
        return {name: value for name, value in options.items() if value}


class Expected(NamedTuple):
    """What a verifier asks of every proof."""

    now_ms: int
    purpose: Relationship = Relationship.ASSERTION
    domain: str = ""
    """Asked for if it is not empty, and so is the challenge."""
    challenge: str = ""


def add_proof(
    document: Mapping[str, Any], signer: Signer, proof: Proof, contexts: Contexts
) -> dict[str, Any]:
    """Add a proof to a document, beside those that it has.

    Raises:
      Unsound: `UNSUPPORTED`, `ALGORITHM`, `CONTEXT`, `MALFORMED`, `DUPLICATE` or `TOO_LARGE`.
    """
    suite = find_suite(proof.cryptosuite)
    options = proof.write()
    if not suite.covers_statements:
        options["@context"] = document.get("@context")
    present = _list_proofs(document) if "proof" in document else []
    secured = _select(document, present, proof.previous)
    signed = compute_signed(suite, signer.public_key.kind, secured, options, contexts)
    made = {**options, "proofValue": encode_multibase(signer.sign(signed))}
    return {**document, "proof": [*present, made] if present else made}


def read_proofs(document: Mapping[str, Any]) -> list[Proof]:
    """Read what the proofs of a document say; nothing of it is verified yet.

    Raises:
      Unsound: `MALFORMED`, `UNSUPPORTED`, `DUPLICATE` or `TOO_LARGE`.
    """
    return [_read(each) for each in _list_proofs(document)]


def verify_proofs(
    document: Mapping[str, Any], contexts: Contexts, expected: Expected, find_key: FindKey
) -> list[Proof]:
    """Verify every proof of a document, in order.

    Raises:
      Unsound: `MALFORMED`, `UNSUPPORTED`, `ALGORITHM`, `KEY`, `CONTEXT`, `SIGNATURE`, `DUPLICATE`,
        `TOO_LARGE`, `NOT_YET_VALID`, `EXPIRED`, `AUDIENCE`, `NONCE`, `UNRESOLVED`.
    """
    present = _list_proofs(document)
    proofs = [_read(each) for each in present]
    for raw, proof in zip(present, proofs, strict=True):
        check_proof(proof, expected)
        suite = find_suite(proof.cryptosuite)
        key = find_key(proof.verification_method, proof.purpose)
        options = {name: value for name, value in raw.items() if name != "proofValue"}
        secured = _select(document, present, proof.previous)
        signed = compute_signed(suite, key.kind, secured, options, contexts)
        if not verify_signature(key, signed, _read_value(raw)):
            raise Unsound(
                Fault.SIGNATURE,
                f"the proof by {proof.verification_method} does not verify: the document or the"
                " proof was changed, or signed with another key",
            )
    return proofs


def check_proof(proof: Proof, expected: Expected) -> None:
    """Check whether a proof is for this use, place and time; not its signature.

    Raises:
      Unsound: `KEY`: for another purpose; `NOT_YET_VALID`, `EXPIRED`, `AUDIENCE` or `NONCE`.
    """
    method = proof.verification_method
    if proof.purpose is not expected.purpose:
        raise Unsound(
            Fault.KEY, f"the proof by {method} is for {proof.purpose}, not {expected.purpose}"
        )
    if proof.created_ms is not None and proof.created_ms > expected.now_ms + AHEAD_MS_MAX:
        raise Unsound(Fault.NOT_YET_VALID, f"the proof by {method} says that it is of the future")
    if proof.expires_ms is not None and proof.expires_ms <= expected.now_ms:
        raise Unsound(
            Fault.EXPIRED, f"the proof by {method} expired {write_timestamp(proof.expires_ms)}"
        )
    if expected.domain and set(proof.domain) != {expected.domain}:
        raise Unsound(Fault.AUDIENCE, f"the proof by {method} is not for {expected.domain}")
    if expected.challenge and proof.challenge != expected.challenge:
        raise Unsound(Fault.NONCE, f"the proof by {method} does not answer this challenge")


def _list_proofs(document: Mapping[str, Any]) -> list[dict[str, Any]]:
    value = document.get("proof")
    proofs: list[Any] = value if isinstance(value, list) else [value]
    if not proofs or not all(isinstance(each, dict) for each in proofs):
        raise Unsound(Fault.MALFORMED, "the document has no proof: an object, or an array of them")
    if len(proofs) > PROOFS_MAX:
        raise Unsound(Fault.TOO_LARGE, f"the document has {len(proofs)} proofs, over {PROOFS_MAX}")
    ids = [_read_text(each, "id") for each in proofs if "id" in each]
    if len(set(ids)) < len(ids):
        raise Unsound(Fault.DUPLICATE, "two proofs of the document have the same id")
    return proofs


def _select(
    document: Mapping[str, Any], present: list[dict[str, Any]], previous: tuple[str, ...]
) -> dict[str, Any]:
    """Make the document that a proof signs: with the earlier proofs that it names, no others."""
    secured = {name: value for name, value in document.items() if name != "proof"}
    found = [each for each in present if each.get("id") in previous]
    if len(found) < len(set(previous)):
        raise Unsound(Fault.MALFORMED, "a proof names a previousProof that the document lacks")
    return {**secured, "proof": found} if found else secured


def _read(raw: Mapping[str, Any]) -> Proof:
    if raw.get("type") != PROOF_TYPE:
        raise Unsound(
            Fault.UNSUPPORTED, f"proofs of type {str(raw.get('type'))[:64]!r} are not read"
        )
    purpose = _read_text(raw, "proofPurpose")
    if purpose not in set(Relationship):
        raise Unsound(Fault.MALFORMED, f"the proofPurpose {purpose[:64]!r} is not known")
    return Proof(
        _read_text(raw, "cryptosuite"),
        _read_text(raw, "verificationMethod"),
        Relationship(purpose),
        _read_time(raw, "created"),
        _read_time(raw, "expires"),
        _read_texts(raw, "domain"),
        _read_text(raw, "challenge", is_needed=False),
        _read_text(raw, "nonce", is_needed=False),
        _read_text(raw, "id", is_needed=False),
        _read_texts(raw, "previousProof"),
    )


def _read_time(raw: Mapping[str, Any], name: str) -> int | None:
    return read_timestamp(raw[name], f"{name} of a proof") if name in raw else None


def _read_text(raw: Mapping[str, Any], name: str, *, is_needed: bool = True) -> str:
    if name not in raw and not is_needed:
        return ""
    value = raw.get(name)
    if not isinstance(value, str) or not value:
        raise Unsound(Fault.MALFORMED, f"{name} of a proof is no text")
    return value


def _read_texts(raw: Mapping[str, Any], name: str) -> tuple[str, ...]:
    value = raw.get(name, [])
    texts = value if isinstance(value, list) else [value]
    if not all(isinstance(each, str) and each for each in texts):
        raise Unsound(Fault.MALFORMED, f"{name} of a proof is neither text nor several")
    return tuple(texts)


def _read_value(raw: Mapping[str, Any]) -> bytes:
    text = _read_text(raw, "proofValue")
    if not text.startswith(BASE58):
        raise Unsound(Fault.MALFORMED, "proofValue is not written in base58, after a z")
    return decode_base58(text[1:], "proofValue")


def _shorten(texts: tuple[str, ...]) -> str | list[str]:
    """Write several texts as an array, one by itself."""
    return texts[0] if len(texts) == 1 else list(texts)
