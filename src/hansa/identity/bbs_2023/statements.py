"""Statements: a credential as the lines of N-Quads that are signed, each by itself.

Things without an identifier are called `b0`, `b1`, ... in an order that an HMAC decides, so that
their numbers, unlike their canonical names, tell nothing of what is not shown.

Source: W3C Data Integrity BBS Cryptosuites 1.0, section 3.2.1; ECDSA Cryptosuites 1.0, section
3.4.16 (`canonicalizeAndGroup`).
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

from hansa.identity.bbs_2023.proof_values import HMAC_KEY_BYTES
from hansa.identity.bbs_2023.selection import check_targets, select
from hansa.identity.data_integrity.canonical import canonicalize_quads
from hansa.identity.data_integrity.contexts import Contexts
from hansa.identity.data_integrity.quads import Quad, convert_document, label_nodes
from hansa.identity.encoding.base64url import encode_base64url
from hansa.identity.faults import Fault, Unsound

_PREFIX = "urn:bnid:_"
"""Stands before the numbers of nameless things while parts of a document are compared."""
KEYS_MAX = 2_000
"""Drawn until nameless things are numbered in order; five need 120 on average."""
_IN_ORDER_MAX = 5
"""With more nameless things that would take too long."""


class Statements(NamedTuple):
    """The statements of a document, in the order in which they are signed."""

    lines: list[bytes]
    document: Mapping[str, Any]
    labelled: Mapping[str, Any]
    """A copy in which all things have identifiers."""
    names: Mapping[str, str]
    """From those identifiers to blank nodes as they are signed, both as N-Quads have them."""

    def list_rest(self, places: Iterable[int]) -> list[bytes]:
        """List the statements that stand elsewhere, as messages to sign."""
        left_out = set(places)
        return [line for place, line in enumerate(self.lines) if place not in left_out]


class _Labelled(NamedTuple):
    """A document whose nameless things got identifiers, and what they are called canonically."""

    document: Mapping[str, Any]
    quads: list[Quad]
    canonical: Mapping[str, str]
    """From identifiers to canonical blank nodes, in the order of the document."""


def read_statements(document: Mapping[str, Any], contexts: Contexts, hmac_key: bytes) -> Statements:
    """Convert a document without its proof.

    Raises:
      Unsound: `CONTEXT`, `MALFORMED`, `DUPLICATE`, `TOO_LARGE`; `UNSUPPORTED`: it has ordered
        lists, or identifiers of the kind that things get here.
    """
    labelled, quads, canonical = _label(document, contexts)
    shuffled = _shuffle(canonical.values(), hmac_key)
    names = {node: shuffled[name] for node, name in canonical.items()}
    return Statements(_write(quads, names), document, labelled, names)


def draw_hmac_key(
    document: Mapping[str, Any], contexts: Contexts, draw: Callable[[int], bytes]
) -> bytes:
    """Draw a key by which nameless things are numbered as they stand in the document.

    Any key hides what canonical names would tell of hidden statements. But the numbers are the
    same in each showing of a credential and, with a key drawn blindly, others in that of another
    holder: five things have 120 orders. So keys are drawn until all holders have the same one.

    Raises:
      Unsound: as `read_statements`.
    """
    names = [*_label(document, contexts).canonical.values()]
    tries = KEYS_MAX if len(names) <= _IN_ORDER_MAX else 1
    key = b""
    for _ in range(tries):
        key = draw(HMAC_KEY_BYTES)
        if [*_shuffle(names, key)] == names:
            break
    return key


def find_part(
    statements: Statements, contexts: Contexts, pointers: Iterable[str]
) -> dict[int, Quad]:
    """Find the statements to which pointers lead: their places, and blank nodes as signed.

    Raises:
      Unsound: `DISCLOSURE`: a pointer leads to nothing, or into the middle of a value;
        `MALFORMED`, `TOO_LARGE`.
    """
    wanted = [*pointers]
    if not wanted:
        return {}
    check_targets(statements.document, wanted)
    quads = convert_document(select(statements.labelled, wanted), contexts)
    place_of = {line: place for place, line in enumerate(statements.lines)}
    found = {}
    for quad in (_rename(each, statements.names) for each in quads):
        place = place_of.get(_encode(quad.write()))
        if place is None:
            raise Unsound(
                Fault.DISCLOSURE, "a pointer leads into the middle of a value: select all of it"
            )
        found[place] = quad
    return dict(sorted(found.items()))


def relabel(
    document: Mapping[str, Any], contexts: Contexts, labels: Mapping[int, int]
) -> list[bytes]:
    """Convert what a holder shows, and call nameless things as they were called when signed.

    Raises:
      Unsound: `CONTEXT`, `DUPLICATE`, `TOO_LARGE`; `MALFORMED`, also where the labels are not
        those of the document.
    """
    quads = convert_document(document, contexts)
    canonical = canonicalize_quads(quads).labels
    if sorted(labels) != [*range(len(canonical))]:
        raise Unsound(Fault.MALFORMED, "the derived proof has labels for another document")
    names = {node: f"_:b{labels[_number(name)]}" for node, name in canonical.items()}
    return _write(quads, names)


def compute_labels(quads: Iterable[Quad]) -> dict[int, int]:
    """Compute from the canonical labels that a verifier finds to those that were signed."""
    return {
        _number(name): int(signed.removeprefix("_:b"))
        for signed, name in canonicalize_quads(quads).labels.items()
    }


def _write(quads: Iterable[Quad], names: Mapping[str, str]) -> list[bytes]:
    return sorted(_encode(_rename(quad, names).write()) for quad in quads)


def _encode(line: str) -> bytes:
    try:
        return line.encode()
    except UnicodeEncodeError:
        raise Unsound(Fault.MALFORMED, "the document contains a lone surrogate") from None


def _label(document: Mapping[str, Any], contexts: Contexts) -> _Labelled:
    labelled = label_nodes(document, contexts, _PREFIX)
    if _PREFIX in repr(document):
        raise Unsound(Fault.UNSUPPORTED, f"a bbs-2023 credential must not contain {_PREFIX!r}")
    quads = convert_document(labelled, contexts)
    if any(part.startswith("_:") for quad in quads for part in quad):
        raise Unsound(Fault.UNSUPPORTED, "bbs-2023 cannot show ordered lists or graphs in part")
    nodes = {part for quad in quads for part in quad if part.startswith(f"<{_PREFIX}")}
    blanks = {node: "_:" + node[len(_PREFIX) + 1 : -1] for node in sorted(nodes, key=_in_document)}
    labels = canonicalize_quads(_rename(quad, blanks) for quad in quads).labels
    return _Labelled(labelled, quads, {node: labels[blank] for node, blank in blanks.items()})


def _in_document(node: str) -> int:
    return int(node[len(_PREFIX) + 1 : -1])


def _shuffle(names: Iterable[str], hmac_key: bytes) -> dict[str, str]:
    """Give canonical blank nodes the numbers that an HMAC puts them in; in order."""
    digests = {
        name: encode_base64url(hmac.digest(hmac_key, name.removeprefix("_:").encode(), "sha256"))
        for name in names
    }
    order = sorted(digests, key=digests.__getitem__)
    return {name: f"_:b{number}" for number, name in enumerate(order)}


def _number(name: str) -> int:
    return int(name.removeprefix("_:c14n"))


def _rename(quad: Quad, names: Mapping[str, str]) -> Quad:
    subject, predicate, object_, graph = quad
    get = names.get
    return Quad(get(subject, subject), predicate, get(object_, object_), graph)
