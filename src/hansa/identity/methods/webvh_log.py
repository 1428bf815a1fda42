"""The log of a did:webvh: which entry may follow which, and who must have signed it.

Source: did:webvh DID method 1.0, sections 3.6 (the log), 3.7.1 to 3.7.9 (parameters, SCID, entry
hash, authorised keys, pre-rotation, witnesses); W3C vc-di-eddsa (eddsa-jcs-2022).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import msgspec

from hansa.identity.encoding.canonical_json import canonicalize
from hansa.identity.encoding.multibase import decode_multibase, encode_base58
from hansa.identity.encoding.timestamp import read_timestamp
from hansa.identity.faults import Fault, Unsound
from hansa.identity.keys.multikey import read_multikey
from hansa.identity.keys.signing import verify_signature
from hansa.shapes import tell_shape

METHOD = "did:webvh:1.0"
ENTRIES_MAX = 2_000
WITNESSES_MAX = 64
PROOFS_MAX = 64
CLOCK_SKEW_MS = 300_000
_STAND_IN = "{SCID}"
_SHA_256 = b"\x12\x20"
"""Multihash of SHA-256: its number and its length."""
_ENTRY_NAMES = {"versionId", "versionTime", "parameters", "state", "proof"}


class Witnesses(msgspec.Struct, frozen=True, forbid_unknown_fields=True, gc=False):
    """Who watches a log, and how many of them must sign an entry."""

    threshold: int = 0
    witnesses: tuple[_Witness, ...] = ()


class _Witness(msgspec.Struct, frozen=True, gc=False):
    id: str


class _Parameters(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """What an entry says of the entries from it on; what it leaves out stays as it was."""

    method: str | msgspec.UnsetType = msgspec.UNSET
    scid: str | msgspec.UnsetType = msgspec.UNSET
    update_keys: tuple[str, ...] | msgspec.UnsetType | None = msgspec.UNSET
    next_key_hashes: tuple[str, ...] | msgspec.UnsetType | None = msgspec.UNSET
    portable: bool | msgspec.UnsetType | None = msgspec.UNSET
    witness: Witnesses | msgspec.UnsetType | None = msgspec.UNSET
    watchers: tuple[str, ...] | msgspec.UnsetType | None = msgspec.UNSET
    deactivated: bool | msgspec.UnsetType | None = msgspec.UNSET
    ttl: int | msgspec.UnsetType | None = msgspec.UNSET


class Entry(NamedTuple):
    """One verified entry, with the parameters that are in force after it."""

    version_id: str
    time_ms: int
    state: dict[str, Any]
    scid: str
    update_keys: tuple[str, ...]
    next_key_hashes: tuple[str, ...]
    is_portable: bool
    is_deactivated: bool
    set_witnesses: Witnesses
    """Those that this entry leaves in force for the next one."""
    witnesses: Witnesses
    """Those that must have signed this entry."""


def read_log(lines: Sequence[Mapping[str, Any]], what: str, now_ms: int) -> list[Entry]:
    """Verify the entries of a log in order; returns at least one.

    Raises:
      Unsound: `TOO_LARGE`, `MALFORMED`, `DUPLICATE`, `UNSUPPORTED`, `KEY` or `SIGNATURE`.
    """
    if not 0 < len(lines) <= ENTRIES_MAX:
        raise Unsound(
            Fault.TOO_LARGE if lines else Fault.MALFORMED,
            f"{what} has {len(lines)} entries: at least one, at most {ENTRIES_MAX}",
        )
    entries: list[Entry] = []
    for number, line in enumerate(lines, start=1):
        before = entries[-1] if entries else None
        entry = _read_entry(line, before, number, f"entry {number} of {what}")
        _check_signed(line, entry, before, f"entry {number} of {what}")
        entries.append(entry)
    if entries[-1].time_ms > now_ms + CLOCK_SKEW_MS:
        raise Unsound(Fault.NOT_YET_VALID, f"{what} has an entry of the future")
    if any(earlier.time_ms >= later.time_ms for earlier, later in pairwise(entries)):
        raise Unsound(Fault.MALFORMED, f"{what} has entries that are not later than those before")
    return entries


def compute_entry_hash(entry: Mapping[str, Any], before: str) -> str:
    """Compute an entry's hash: over itself without proof, naming the version before.

    Raises:
      Unsound: `MALFORMED`: it has no canonical form.
    """
    unsigned = {name: value for name, value in entry.items() if name != "proof"}
    return hash_text(canonicalize(unsigned | {"versionId": before}))


def hash_text(data: bytes) -> str:
    """Hash as the method writes hashes: SHA-256 as a multihash in base58."""
    return encode_base58(_SHA_256 + hashlib.sha256(data).digest())


def _read_entry(line: Mapping[str, Any], before: Entry | None, number: int, what: str) -> Entry:
    """Read one entry after the one before it, all but its signatures."""
    if set(line) != _ENTRY_NAMES or not isinstance(line["state"], dict):
        raise Unsound(
            Fault.MALFORMED, f"{what} must have exactly {', '.join(sorted(_ENTRY_NAMES))}"
        )
    if before is not None and before.is_deactivated:
        raise Unsound(Fault.MALFORMED, f"{what} follows one that deactivated the DID")
    parameters = _read_parameters(line["parameters"], what)
    entry = _put_in_force(line, parameters, before, what)
    _check_parameters(parameters, entry, before, what)
    if before is None:
        _check_scid(line, entry.scid, what)
    named = entry.scid if before is None else before.version_id
    if entry.version_id != f"{number}-{compute_entry_hash(line, named)}":
        raise Unsound(Fault.SIGNATURE, f"{what} has another hash than its versionId says")
    return entry


def _put_in_force(
    line: Mapping[str, Any], parameters: _Parameters, before: Entry | None, what: str
) -> Entry:
    version_id, name = line["versionId"], line["state"].get("id")
    if not isinstance(version_id, str) or not isinstance(name, str):
        raise Unsound(Fault.MALFORMED, f"{what} has no versionId, or a document without id")
    inherited = before._asdict() if before else {}
    set_witnesses = _take(parameters.witness, inherited.get("set_witnesses", Witnesses()))
    was_watched = before is not None and before.set_witnesses.threshold > 0
    return Entry(
        version_id=version_id,
        time_ms=read_timestamp(line["versionTime"], f"versionTime of {what}"),
        state=line["state"],
        scid=_take(parameters.scid, inherited.get("scid", "")),
        update_keys=_take(parameters.update_keys, inherited.get("update_keys", ())),
        next_key_hashes=_take(parameters.next_key_hashes, inherited.get("next_key_hashes", ())),
        is_portable=_take(parameters.portable, inherited.get("is_portable", False)),
        is_deactivated=_take(parameters.deactivated, inherited.get("is_deactivated", False)),
        set_witnesses=set_witnesses,
        witnesses=before.set_witnesses if before and was_watched else set_witnesses,
    )


def _take(value: Any, inherited: Any) -> Any:  # noqa: ANN401 - the type of a parameter
    """What a parameter is after an entry: null is as if it was never set."""
    if value is msgspec.UNSET:
        return inherited
    return type(inherited)() if value is None else value


def _read_parameters(value: Any, what: str) -> _Parameters:  # noqa: ANN401 - a decode edge
    try:
        return msgspec.convert(value, _Parameters)
    except msgspec.ValidationError as error:
        raise Unsound(Fault.MALFORMED, f"the parameters of {what}: {tell_shape(error)}") from None


def _check_parameters(
    parameters: _Parameters, entry: Entry, before: Entry | None, what: str
) -> None:
    if parameters.method not in ((METHOD,) if before is None else (METHOD, msgspec.UNSET)):
        raise Unsound(Fault.UNSUPPORTED, f"{what} is not of {METHOD}")
    if before is None:
        if not entry.scid or not entry.update_keys:
            raise Unsound(Fault.MALFORMED, f"{what}, the first, must name scid and updateKeys")
    else:
        if entry.scid != before.scid:
            raise Unsound(Fault.MALFORMED, f"{what} changes the scid, which stays for ever")
        _check_move(entry, before, what)
    witnesses = entry.set_witnesses
    names = [each.id for each in witnesses.witnesses]
    is_sound = len(set(names)) == len(names) <= WITNESSES_MAX and (
        (1 if names else 0) <= witnesses.threshold <= len(names)
    )
    if not is_sound:
        raise Unsound(
            Fault.MALFORMED,
            f"the witnesses of {what} must differ, and the threshold be from 1 to their number",
        )


def _check_move(entry: Entry, before: Entry, what: str) -> None:
    """Check that a DID moves to another server only where it was made so, and says from where."""
    if entry.is_portable and not before.is_portable:
        raise Unsound(Fault.MALFORMED, f"{what} makes portable what was not so at first")
    if entry.state["id"] == before.state["id"]:
        return
    known = entry.state.get("alsoKnownAs")
    if not before.is_portable:
        raise Unsound(Fault.MALFORMED, f"{what} renames a DID that is not portable")
    if not isinstance(known, list) or before.state["id"] not in known:
        raise Unsound(Fault.MALFORMED, f"{what} renames the DID without alsoKnownAs its old name")


def _check_scid(line: Mapping[str, Any], scid: str, what: str) -> None:
    """Check that the identifier is the hash of the first entry with `{SCID}` in its place."""
    unsigned = {name: value for name, value in line.items() if name != "proof"}
    text = json.dumps(unsigned | {"versionId": _STAND_IN}).replace(scid, _STAND_IN)
    if hash_text(canonicalize(json.loads(text))) != scid:
        raise Unsound(Fault.SIGNATURE, f"{what} is not what the DID's identifier is the hash of")


def _check_signed(line: Mapping[str, Any], entry: Entry, before: Entry | None, what: str) -> None:
    """Check that keys which may write this entry have signed it."""
    allowed = entry.update_keys if before is None else before.update_keys
    if before is not None and before.next_key_hashes:
        allowed = entry.update_keys
        promised = set(before.next_key_hashes)
        if (
            "updateKeys" not in line["parameters"]
            or not allowed
            or any(hash_text(key.encode()) not in promised for key in allowed)
        ):
            raise Unsound(Fault.KEY, f"{what} has updateKeys that the entry before did not promise")
    unsigned = {name: value for name, value in line.items() if name != "proof"}
    for proof in _list_proofs(line["proof"], what):
        if _verify_proof(unsigned, proof, what) not in allowed:
            raise Unsound(Fault.KEY, f"{what} is signed by a key that may not write it")


def check_witnesses(entries: Sequence[Entry], value: Any, what: str) -> None:  # noqa: ANN401
    """Check that enough witnesses signed each entry that has any, or an entry after it.

    Raises:
      Unsound: `MALFORMED`, `TOO_LARGE` or `SIGNATURE`.
    """
    if not isinstance(value, list) or len(value) > ENTRIES_MAX:
        raise Unsound(Fault.MALFORMED, f"{what} is no list of at most {ENTRIES_MAX} versions")
    numbers = {entry.version_id: number for number, entry in enumerate(entries, start=1)}
    seen: dict[str, int] = {}
    for item in value:
        if not isinstance(item, dict) or not isinstance(item.get("versionId"), str):
            raise Unsound(Fault.MALFORMED, f"{what} has an item without versionId")
        number = numbers.get(item["versionId"])
        if number is None:
            continue
        for proof in _list_proofs(item.get("proof"), what):
            signer = "did:key:" + _verify_proof({"versionId": item["versionId"]}, proof, what)
            seen[signer] = max(number, seen.get(signer, 0))
    for number, entry in enumerate(entries, start=1):
        signed = sum(seen.get(each.id, 0) >= number for each in entry.witnesses.witnesses)
        if signed < entry.witnesses.threshold:
            raise Unsound(
                Fault.SIGNATURE,
                f"{what}: {signed} witnesses signed version {number}, of at least "
                f"{entry.witnesses.threshold}",
            )


def _list_proofs(value: Any, what: str) -> list[dict[str, Any]]:  # noqa: ANN401 - a decode edge
    proofs = value if isinstance(value, list) else [value]
    if not 0 < len(proofs) <= PROOFS_MAX or not all(isinstance(each, dict) for each in proofs):
        raise Unsound(Fault.MALFORMED, f"{what} has no proof, or over {PROOFS_MAX}")
    return proofs


def _verify_proof(unsigned: Mapping[str, Any], proof: Mapping[str, Any], what: str) -> str:
    """Verify one proof, and return the Multikey that signed."""
    kind = (proof.get("type"), proof.get("cryptosuite"), proof.get("proofPurpose"))
    if kind != ("DataIntegrityProof", "eddsa-jcs-2022", "assertionMethod"):
        raise Unsound(Fault.UNSUPPORTED, f"{what} has a proof of another kind: {kind}")
    name = proof.get("verificationMethod")
    did, _, multikey = name.partition("#") if isinstance(name, str) else ("", "", "")
    if did != f"did:key:{multikey}":
        raise Unsound(Fault.KEY, f"{what} is signed by {name!r}, which is no did:key")
    value = proof.get("proofValue")
    signature = decode_multibase(value if isinstance(value, str) else "", f"proofValue of {what}")
    options = {name: each for name, each in proof.items() if name != "proofValue"}
    signed = b"".join(
        hashlib.sha256(canonicalize(each)).digest() for each in (options, dict(unsigned))
    )
    if not verify_signature(read_multikey(multikey), signed, signature):
        raise Unsound(Fault.SIGNATURE, f"the signature of {what} does not verify")
    return multikey
