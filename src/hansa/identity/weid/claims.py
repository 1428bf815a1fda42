"""Claims and their salts: hashed for the signature, and what of them is disclosed.

The hash of a claim is that of its text and its salt, one behind the other. A hidden claim has the
salt `0` and its hash in its place. Where text ends and salt begins is signed nowhere, so that a
holder could move letters between them; therefore salts must have the length that the issuer drew.

Source: `getClaimHash`, `generateSalt` of WeIdentity's Java SDK.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from hansa.identity.faults import Fault, Unsound
from hansa.identity.weid.hashing import hash_text, is_hash
from hansa.identity.weid.java_text import write_text

SALT_LETTERS = 5
"""That issuers draw, unless they set `salt.length`."""
HIDDEN = "0"
_LETTERS = frozenset("0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")


class Opened(NamedTuple):
    """Claims in the two forms that they have."""

    hashed: Any
    """Each value hashed with its salt, as it was signed."""
    disclosed: Any
    """As they were shown, without those that are hidden."""
    hidden: tuple[str, ...]
    """JSON pointers (RFC 6901) to what is hidden."""


def open_claims(claim: object, salt: object, salt_letters: int, path: str = "") -> Opened:
    """Hash claims with their salts, and tell disclosed from hidden ones.

    Raises:
      Unsound: `DISCLOSURE`: salts that do not fit; `UNSUPPORTED`.
    """
    if isinstance(salt, dict):
        if not isinstance(claim, dict) or claim.keys() != salt.keys():
            raise _unfit(path, "other names than its salts")
        return _open_members(claim, salt, salt_letters, path)
    if isinstance(salt, list):
        if not isinstance(claim, list) or len(claim) != len(salt):
            raise _unfit(path, "another length than its salts")
        return _open_items(claim, salt, salt_letters, path)
    if salt == HIDDEN:
        if not is_hash(claim):
            raise _unfit(path, "no hash in the place of what is hidden")
        return Opened(claim, None, (path,))
    is_salt = isinstance(salt, str) and len(salt) == salt_letters and _LETTERS.issuperset(salt)
    if not is_salt or isinstance(claim, dict):
        raise _unfit(path, f"no salt of {salt_letters} letters and digits")
    return Opened(hash_text(write_text(claim) + str(salt)), claim, ())


def _open_members(
    claim: dict[str, Any], salt: dict[str, Any], salt_letters: int, path: str
) -> Opened:
    opened = {
        name: open_claims(claim[name], salt[name], salt_letters, f"{path}/{_escape(name)}")
        for name in claim
    }
    return Opened(
        {name: each.hashed for name, each in opened.items()},
        {name: each.disclosed for name, each in opened.items() if salt[name] != HIDDEN},
        tuple(hidden for each in opened.values() for hidden in each.hidden),
    )


def _open_items(claim: list[Any], salt: list[Any], salt_letters: int, path: str) -> Opened:
    if not all(isinstance(each, dict | list) for each in salt):
        raise _unfit(path, "salts of single items, which WeIdentity does not give")
    opened = [
        open_claims(each, own, salt_letters, f"{path}/{index}")
        for index, (each, own) in enumerate(zip(claim, salt, strict=True))
    ]
    return Opened(
        [each.hashed for each in opened],
        [each.disclosed for each in opened],
        tuple(hidden for each in opened for hidden in each.hidden),
    )


def _escape(name: str) -> str:
    return name.replace("~", "~0").replace("/", "~1")


def _unfit(path: str, what: str) -> Unsound:
    return Unsound(
        Fault.DISCLOSURE, f"the claim {path or '/':.120} of the WeIdentity credential has {what}"
    )
