"""RDF Dataset Canonicalization (RDFC-1.0): one text for all datasets that say the same.

Blank nodes get the names `c14n0`, ... by what is said of them. Where several cannot be told apart
by that, the algorithm tries their orders, which takes exponential time for graphs made on purpose:
the work is counted, and what needs too much is refused.

Source: W3C RDF Dataset Canonicalization 1.0, section 4.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from itertools import permutations
from typing import NamedTuple

from hansa.identity.data_integrity.quads import Quad
from hansa.identity.faults import Fault, Unsound

WORK_MAX = 10_000
"""Statements looked at, and nodes put in order, while blank nodes are told apart: about 0.05 s."""
NESTED_MAX = 128
"""How many blank nodes in a row are followed."""


class Canonical(NamedTuple):
    """A dataset in canonical form."""

    lines: list[str]
    """N-Quads in order, each with its end of line."""
    labels: dict[str, str]
    """The canonical name of each blank node of the input, both with `_:`."""

    @property
    def text(self) -> bytes:
        """The whole in bytes.

        Raises:
          Unsound: `MALFORMED`: it contains a lone surrogate.
        """
        return _encode("".join(self.lines))


def canonicalize_quads(quads: Iterable[Quad], algorithm: str = "sha256") -> Canonical:
    """Bring a dataset into canonical form; `algorithm` is `sha256` or `sha384`.

    Raises:
      Unsound: `TOO_LARGE`: its blank nodes cannot be told apart with bounded work; `MALFORMED`.
    """
    distinct = list(dict.fromkeys(quads))
    labels = _Canonicalization(distinct, algorithm).run()
    if labels:
        lines = [_rename(quad, labels).write() for quad in distinct]
    else:
        lines = [quad.write() for quad in distinct]
    return Canonical(sorted(lines), labels)


def _rename(quad: Quad, labels: dict[str, str]) -> Quad:
    subject, predicate, object_, graph = quad
    get = labels.get
    return Quad(get(subject, subject), predicate, get(object_, object_), get(graph, graph))


def _encode(text: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError:
        raise Unsound(Fault.MALFORMED, "the document contains a lone surrogate") from None


class _Issuer:
    """Gives out names in order, each node once."""

    def __init__(self, prefix: str, issued: dict[str, str] | None = None) -> None:
        self._prefix = prefix
        self.issued = issued or {}

    def issue(self, node: str) -> str:
        name = self.issued.get(node)
        if name is None:
            name = self.issued[node] = f"{self._prefix}{len(self.issued)}"
        return name

    def copy(self) -> _Issuer:
        return _Issuer(self._prefix, dict(self.issued))


class _Canonicalization:
    """The state of one run."""

    def __init__(self, quads: list[Quad], algorithm: str) -> None:
        self._algorithm = algorithm
        self._issuer = _Issuer("_:c14n")
        self._work = 0
        self._nested = 0
        self._quads_of: dict[str, list[Quad]] = {}
        for quad in quads:
            for node in dict.fromkeys((quad.subject, quad.object, quad.graph)):
                if node.startswith("_:"):
                    self._quads_of.setdefault(node, []).append(quad)
        self._hash_of = {node: self._hash_first_degree(node) for node in self._quads_of}

    def run(self) -> dict[str, str]:
        """Name all blank nodes."""
        nodes_of: dict[str, list[str]] = {}
        for node, digest in self._hash_of.items():
            nodes_of.setdefault(digest, []).append(node)
        shared = []
        for digest in sorted(nodes_of):
            nodes = nodes_of[digest]
            if len(nodes) == 1:
                self._issuer.issue(nodes[0])
            else:
                shared.append(nodes)
        for nodes in shared:
            found = []
            for node in nodes:
                if node not in self._issuer.issued:
                    issuer = _Issuer("_:b")
                    issuer.issue(node)
                    found.append(self._hash_n_degree(node, issuer))
            for _, issuer in sorted(found, key=lambda each: each[0]):
                for node in issuer.issued:
                    self._issuer.issue(node)
        return self._issuer.issued

    def _hash(self, text: str) -> str:
        return hashlib.new(self._algorithm, _encode(text)).hexdigest()

    def _count(self, work: int) -> None:
        self._work += work
        if self._work > WORK_MAX or self._nested > NESTED_MAX:
            raise Unsound(
                Fault.TOO_LARGE, "too many nameless things in the document are alike: name them"
            )

    def _hash_first_degree(self, node: str) -> str:
        """Hash what is said of a node, all other blank nodes alike."""
        lines = []
        for subject, predicate, object_, graph in self._quads_of[node]:
            parts = [
                each if not each.startswith("_:") else "_:a" if each == node else "_:z"
                for each in (subject, object_, graph)
            ]
            lines.append(Quad(parts[0], predicate, parts[1], parts[2]).write())
        return self._hash("".join(sorted(lines)))

    def _hash_related(self, related: str, quad: Quad, issuer: _Issuer, position: str) -> str:
        name = self._issuer.issued.get(related) or issuer.issued.get(related)
        predicate = "" if position == "g" else quad.predicate
        return self._hash(position + predicate + (name or self._hash_of[related]))

    def _find_related(self, node: str, issuer: _Issuer) -> dict[str, list[str]]:
        """Group the blank nodes that statements connect with a node, by how they do."""
        related: dict[str, list[str]] = {}
        self._count(len(self._quads_of[node]))
        for quad in self._quads_of[node]:
            for other, position in ((quad.subject, "s"), (quad.object, "o"), (quad.graph, "g")):
                if other.startswith("_:") and other != node:
                    digest = self._hash_related(other, quad, issuer, position)
                    related.setdefault(digest, []).append(other)
        return related

    def _hash_n_degree(self, node: str, issuer: _Issuer) -> tuple[str, _Issuer]:
        """Hash what is said of a node and of all that it is connected with."""
        data = ""
        groups = self._find_related(node, issuer)
        for digest in sorted(groups):
            chosen: tuple[str, _Issuer] | None = None
            for order in permutations(groups[digest]):
                self._count(len(order))
                best = chosen[0] if chosen else ""
                found = self._follow(order, issuer.copy(), best)
                if found is not None and (chosen is None or found[0] < chosen[0]):
                    chosen = found
            if chosen is not None:
                data += digest + chosen[0]
                issuer = chosen[1]
        return self._hash(data), issuer

    def _follow(
        self, order: tuple[str, ...], issuer: _Issuer, best: str
    ) -> tuple[str, _Issuer] | None:
        """Follow related nodes in one order; nothing, once the path is behind the best so far."""
        path = ""
        unseen = []
        for node in order:
            name = self._issuer.issued.get(node)
            if name is None:
                if node not in issuer.issued:
                    unseen.append(node)
                name = issuer.issue(node)
            path += name
            if _is_behind(path, best):
                return None
        for node in unseen:
            self._nested += 1
            digest, inner = self._hash_n_degree(node, issuer)
            self._nested -= 1
            path += f"{issuer.issue(node)}<{digest}>"
            issuer = inner
            if _is_behind(path, best):
                return None
        return path, issuer


def _is_behind(path: str, best: str) -> bool:
    return bool(best) and len(path) >= len(best) and path > best
