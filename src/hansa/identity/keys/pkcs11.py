"""Keys that sign within a hardware security module, over PKCS#11: each is a `Signer`.

Private keys are made in the token, marked sensitive and not extractable, and never leave it. What
ECDSA signs is hashed here: every token signs digests, only some hash. A token and its keys serve
one thread at a time.

Needs the extra `hsm`. Source: PKCS#11 3.0, sections 2.3 (elliptic curves) and 5.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import Any, Protocol, cast

import pkcs11
from pkcs11 import Attribute, KeyType, Mechanism, ObjectClass
from pkcs11.exceptions import (
    NoSuchToken,
    PinIncorrect,
    PinLenRange,
    PinLocked,
    PKCS11Error,
)

from hansa.identity.faults import Fault, Unsound
from hansa.identity.keys.kinds import TRAITS, KeyKind, PublicKey, load_public_key
from hansa.identity.keys.points import join_point
from hansa.kernel.crypto.signatures import compute_low_s
from hansa.kernel.errors import Invalid, InvalidCode, NotFound, Unavailable

_PARAMETERS: Mapping[KeyKind, tuple[bytes, ...]] = MappingProxyType(
    {
        KeyKind.ED25519: (b"\x13\x0cedwards25519", bytes.fromhex("06032b6570")),
        KeyKind.P256: (bytes.fromhex("06082a8648ce3d030107"),),
        KeyKind.P384: (bytes.fromhex("06052b81040022"),),
        KeyKind.SECP256K1: (bytes.fromhex("06052b8104000a"),),
    }
)
"""How PKCS#11 names the curve of a kind, in DER; the first is written."""
_DIGESTS = {KeyKind.P256: "sha256", KeyKind.P384: "sha384", KeyKind.SECP256K1: "sha256"}
_PRIVATE = {
    Attribute.SENSITIVE: True,
    Attribute.EXTRACTABLE: False,
    Attribute.PRIVATE: True,
    Attribute.SIGN: True,
}
_PIN_ERRORS = (PinIncorrect, PinLenRange, PinLocked)


class _PrivateHalf(Protocol):
    """What is asked of a private key in a token."""

    def sign(self, data: bytes, *, mechanism: Mechanism) -> bytes: ...


class _PublicHalf(Protocol):
    """What is asked of a public key in a token."""

    def __getitem__(self, attribute: Attribute) -> Any: ...  # noqa: ANN401 - as the token says


class TokenKey:
    """A private key in a token; a `Signer` for as long as the token is open."""

    def __init__(self, private: _PrivateHalf, public_key: PublicKey) -> None:
        """Join a key in a token with the public key that belongs to it."""
        self._private = private
        self._public_key = public_key

    @property
    def public_key(self) -> PublicKey:
        """The key that verifies what this signs."""
        return self._public_key

    def sign(self, message: bytes) -> bytes:
        """Sign the whole message; ECDSA signatures are raw r and s, with a low s.

        Raises:
          Unavailable: the token does not answer, or was closed.
        """
        kind = self._public_key.kind
        try:
            if kind is KeyKind.ED25519:
                return bytes(self._private.sign(message, mechanism=Mechanism.EDDSA))
            digest = hashlib.new(_DIGESTS[kind], message).digest()
            signature = bytes(self._private.sign(digest, mechanism=Mechanism.ECDSA))
        except PKCS11Error as error:
            raise _unavailable(error) from None
        suite = TRAITS[kind].suite
        return signature if suite is None else compute_low_s(suite, signature)


class Token:
    """An open token, whose keys have labels."""

    def __init__(self, session: pkcs11.Session) -> None:
        """Take a session that may write."""
        self._session = session

    def find_key(self, label: str) -> TokenKey:
        """Find the key with a label.

        Raises:
          NotFound: there is none, or not both halves of it.
          Unsound: `KEY`: there are several, or it is of no kind that signs here.
          Unavailable: the token does not answer.
        """
        try:
            private = self._find(ObjectClass.PRIVATE_KEY, label)
            public = self._find(ObjectClass.PUBLIC_KEY, label)
            return TokenKey(private, _read_public_key(public, label))
        except PKCS11Error as error:
            raise _unavailable(error) from None

    def generate_key(self, kind: KeyKind, label: str) -> TokenKey:
        """Make a new key in the token.

        Raises:
          Unsound: `KEY`: there is one with this label, or keys of this kind do not sign here.
          Unavailable: the token does not answer, or cannot make such keys.
        """
        if kind not in _PARAMETERS:
            raise Unsound(Fault.KEY, f"keys of kind {kind.value} do not sign in a token")
        is_edwards = kind is KeyKind.ED25519
        try:
            if list(self._session.get_objects({Attribute.LABEL: label})):
                raise Unsound(Fault.KEY, f"the token has a key {label!r} already: name another")
            parameters = self._session.create_domain_parameters(
                KeyType.EC_EDWARDS if is_edwards else KeyType.EC,
                {Attribute.EC_PARAMS: _PARAMETERS[kind][0]},
                local=True,
            )
            public, private = parameters.generate_keypair(
                mechanism=(
                    Mechanism.EC_EDWARDS_KEY_PAIR_GEN if is_edwards else Mechanism.EC_KEY_PAIR_GEN
                ),
                store=True,
                label=label,
                private_template=_PRIVATE,
            )
            key = _read_public_key(public, label)
            return TokenKey(cast("_PrivateHalf", private), key)
        except PKCS11Error as error:
            raise _unavailable(error) from None

    def _find(self, kind: ObjectClass, label: str) -> Any:  # noqa: ANN401 - as the token says
        found = list(self._session.get_objects({Attribute.CLASS: kind, Attribute.LABEL: label}))
        if not found:
            raise NotFound(f"the token has no key {label!r} with its public half")
        if len(found) > 1:
            raise Unsound(Fault.KEY, f"the token has several keys {label!r}")
        return found[0]


@contextmanager
def open_token(module: Path, label: str, pin: str) -> Iterator[Token]:
    """Open the token with a label, of the PKCS#11 library at a path; it is closed at the end.

    Raises:
      Invalid: `UNAUTHENTICATED`: the PIN is wrong, or the token locked because of wrong ones.
      NotFound: there is no such token.
      Unavailable: the library cannot be loaded, or the token does not answer.
    """
    if not pin:  # the library would open it without one, and then find no private keys
        raise Invalid(InvalidCode.UNAUTHENTICATED, f"the token {label!r} needs a PIN")
    try:
        session = pkcs11.lib(str(module)).get_token(token_label=label).open(rw=True, user_pin=pin)
    except _PIN_ERRORS as error:
        raise Invalid(
            InvalidCode.UNAUTHENTICATED,
            f"the token {label!r} does not take this PIN ({type(error).__name__}): a few wrong "
            "ones lock it",
        ) from None
    except NoSuchToken:
        raise NotFound(f"{module} has no token {label!r}") from None
    except PKCS11Error as error:
        raise _unavailable(error) from None
    with session:
        yield Token(session)


def _read_public_key(public: _PublicHalf, label: str) -> PublicKey:
    """Read a public key; the point may stand in an octet string of DER, or alone."""
    parameters, point = bytes(public[Attribute.EC_PARAMS]), bytes(public[Attribute.EC_POINT])
    for kind, names in _PARAMETERS.items():
        if parameters in names:
            half = TRAITS[kind].private_bytes
            if kind is KeyKind.ED25519:
                return load_public_key(kind, point[-half:])
            return join_point(kind, point[-2 * half : -half], point[-half:], f"the key {label!r}")
    raise Unsound(Fault.KEY, f"the key {label!r} is on no curve that is known here")


def _unavailable(error: PKCS11Error) -> Unavailable:
    detail = str(error) or type(error).__name__
    return Unavailable(f"the hardware security module does not answer as it should: {detail}")
