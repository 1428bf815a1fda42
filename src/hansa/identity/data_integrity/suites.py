"""Cryptosuites: what exactly a proof signs, by the suite it names.

| suite             | keys         | signs the hashes of                                        |
|-------------------|--------------|------------------------------------------------------------|
| `eddsa-jcs-2022`  | Ed25519      | canonical JSON of the proof's options, and of the document |
| `eddsa-rdfc-2022` | Ed25519      | canonical statements of both                               |
| `ecdsa-jcs-2019`  | P-256, P-384 | canonical JSON of both                                     |
| `ecdsa-rdfc-2019` | P-256, P-384 | canonical statements of both                               |

Hashes are SHA-256; for keys of P-384 they are SHA-384, inside the canonicalization too.

Source: W3C Data Integrity EdDSA Cryptosuites 1.0, sections 3.2 and 3.3; ECDSA Cryptosuites 1.0,
sections 3.2 and 3.3.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any, NamedTuple

from hansa.identity.data_integrity.canonical import canonicalize_quads
from hansa.identity.data_integrity.contexts import Contexts
from hansa.identity.data_integrity.quads import convert_document
from hansa.identity.encoding.canonical_json import canonicalize
from hansa.identity.faults import Fault, Unsound
from hansa.identity.keys.kinds import KeyKind

EDDSA_JCS, EDDSA_RDFC = "eddsa-jcs-2022", "eddsa-rdfc-2022"
ECDSA_JCS, ECDSA_RDFC = "ecdsa-jcs-2019", "ecdsa-rdfc-2019"


class Cryptosuite(NamedTuple):
    """One suite."""

    name: str
    kinds: tuple[KeyKind, ...]
    covers_statements: bool
    """Statements (RDF), or the JSON as it stands."""


_ECDSA_KINDS = (KeyKind.P256, KeyKind.P384)
SUITES = {
    each.name: each
    for each in (
        Cryptosuite(EDDSA_JCS, (KeyKind.ED25519,), covers_statements=False),
        Cryptosuite(EDDSA_RDFC, (KeyKind.ED25519,), covers_statements=True),
        Cryptosuite(ECDSA_JCS, _ECDSA_KINDS, covers_statements=False),
        Cryptosuite(ECDSA_RDFC, _ECDSA_KINDS, covers_statements=True),
    )
}


def find_suite(name: str) -> Cryptosuite:
    """Find a suite by its name.

    Raises:
      Unsound: `UNSUPPORTED`.
    """
    suite = SUITES.get(name)
    if suite is None:
        raise Unsound(
            Fault.UNSUPPORTED, f"the cryptosuite {name[:64]!r} is none of {', '.join(SUITES)}"
        )
    return suite


def compute_signed(
    suite: Cryptosuite,
    kind: KeyKind,
    document: Mapping[str, Any],
    options: Mapping[str, Any],
    contexts: Contexts,
) -> bytes:
    """Compute what is signed: the hashes of a proof's options and of the document it secures.

    Args:
      suite: says what is hashed.
      kind: says by which function.
      document: without its proof, or with the earlier proofs that this one also signs.
      options: the proof without its value.
      contexts: what documents may name.

    Raises:
      Unsound: `ALGORITHM`: the key is of no kind that the suite knows; `CONTEXT`, `MALFORMED`,
        `DUPLICATE` or `TOO_LARGE`.
    """
    if kind not in suite.kinds:
        raise Unsound(Fault.ALGORITHM, f"{suite.name} does not go with a key of kind {kind.value}")
    algorithm = "sha384" if kind is KeyKind.P384 else "sha256"
    if suite.covers_statements:
        if "@context" in options:
            raise Unsound(Fault.CONTEXT, f"a proof of {suite.name} must not have a @context")
        head = {"@context": document.get("@context"), **options}
        parts = [
            canonicalize_quads(convert_document(each, contexts), algorithm).text
            for each in (head, document)
        ]
    else:
        contexts.activate(document.get("@context"))
        if options.get("@context", document["@context"]) != document["@context"]:
            raise Unsound(Fault.CONTEXT, "the proof's @context must be that of its document")
        parts = [canonicalize(each) for each in (options, document)]
    return b"".join(hashlib.new(algorithm, each).digest() for each in parts)
