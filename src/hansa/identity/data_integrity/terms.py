"""Terms: what the names in a JSON-LD document mean, as its contexts define them.

This is the part of JSON-LD's context processing that credentials use: protected terms, contexts
scoped to a property or a type, coercion to IRIs, datatypes and JSON, sets, lists and graphs.
Whatever else a context can say (aliases of other keywords, reverse properties, index maps, ...)
leaves a term without a use: a document that uses it is refused, never read differently.

Source: JSON-LD 1.1 Processing Algorithms and API, sections 4.1 (contexts), 4.2 (terms), 5.2 (IRIs).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import Enum
from functools import lru_cache
from typing import Any, NamedTuple

from hansa.identity.faults import Fault, Unsound

ID, TYPE, JSON, VOCAB, NONE = "@id", "@type", "@json", "@vocab", "@none"
SET, LIST, GRAPH = "@set", "@list", "@graph"

_PREFIX_ENDS = tuple(":/?#[]@")
_ABSOLUTE = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:[^\x00-\x20<>\"{}|^`\\]*")
"""An IRI as N-Quads can write it; everything that could break out of `<>` is left out."""
_SIMPLE = re.compile(r"[^:/?#\[\]@][^:/?#\[\]]*")
"""A name that may follow a vocabulary."""
_OF_TERMS = {"@id", "@type", "@container", "@context", "@protected", "@prefix"}
_OF_CONTEXTS = {"@version", "@protected", "@vocab", "@type"}
_CONTAINERS = {(), (SET,), (LIST,), (GRAPH,), (GRAPH, SET)}
_COERCIONS = {"", ID, VOCAB, JSON, NONE}


class Local:
    """A context as a pinned file has it: one object, `None` (forget everything), or several.

    Compared by identity, so that what it makes of an active context can be remembered.
    """

    def __init__(self, raw: Any, known: Mapping[str, Local]) -> None:  # noqa: ANN401 - any JSON
        self.raw = raw
        self._known = known
        self._scoped: dict[str, Local] = {}

    def list_parts(self) -> list[dict[str, Any] | None]:
        """List its objects in order, those of other pinned contexts that it names included.

        Raises:
          Unsound: `CONTEXT`: it names a context that is not pinned.
        """
        parts: list[dict[str, Any] | None] = []
        for each in self.raw if isinstance(self.raw, list) else [self.raw]:
            if isinstance(each, str):
                parts += find_pinned(self._known, each).list_parts()
            elif each is None or isinstance(each, dict):
                parts.append(each)
            else:
                raise Unsound(Fault.CONTEXT, "a pinned context is neither object nor name")
        return parts

    def scope(self, term: str, raw: Any) -> Local:  # noqa: ANN401 - any JSON
        """Give the context that a term of this one brings with it, always the same object."""
        found = self._scoped.get(term)
        if found is None or found.raw is not raw:
            found = self._scoped[term] = Local(raw, self._known)
        return found


class Definition(NamedTuple):
    """What one term means."""

    iri: str
    """Empty: it means nothing. `@id` and `@type` for their aliases."""
    coercion: str = ""
    """`@id`, `@vocab`, `@json`, a datatype, or nothing."""
    container: tuple[str, ...] = ()
    is_prefix: bool = False
    is_protected: bool = False
    scoped: Local | None = None
    refusal: str = ""
    """Why documents must not use it."""
    term: str = ""

    def means_same(self, other: Definition) -> bool:
        """Whether two definitions differ in their protection alone."""
        mine, its = (each.scoped.raw if each.scoped else () for each in (self, other))
        ours = self._replace(scoped=None, is_protected=False)
        return ours == other._replace(scoped=None, is_protected=False) and mine == its


class Scope(Enum):
    """Where a local context stands."""

    DOCUMENT = 0
    PROPERTY = 1
    """It may redefine protected terms."""
    TYPE = 2
    """It does not reach into inner objects."""


class ActiveContext:
    """The terms in force at one place of a document. Never changed; compared by identity."""

    def __init__(
        self,
        names_of: Mapping[str, set[str]],
        terms: Mapping[str, Definition] | None = None,
        vocabulary: str = "",
        previous: ActiveContext | None = None,
    ) -> None:
        self.names_of = names_of
        """The terms that mean an IRI, in any of the contexts that documents may name."""
        self.terms = terms or {}
        self.vocabulary = vocabulary
        """What stands before names that no term defines; empty if they mean nothing."""
        self.previous = previous
        """The context to return to in inner objects, if this one is scoped to a type."""

    def find(self, name: str) -> Definition:
        """Find what a member's name or a type means.

        Raises:
          Unsound: `CONTEXT`: nothing, or it may not be used, or another term means the same.
        """
        found = self.terms.get(name)
        if found is None:
            found = self._make(name)
        elif found.refusal or not found.iri:
            why = found.refusal or "its context takes its meaning away"
            raise Unsound(Fault.CONTEXT, f"{name[:64]!r} cannot be used: {why}")
        elif found.iri not in (ID, TYPE) and self.names_of.get(found.iri, set()) - {name}:
            raise Unsound(Fault.CONTEXT, f"{name[:64]!r} is one of two terms for {found.iri}")
        return found

    def _make(self, name: str) -> Definition:
        """Make a definition of a name that only the vocabulary covers."""
        iri = self.vocabulary + name
        if not self.vocabulary or not _SIMPLE.fullmatch(name) or not is_iri(iri):
            raise Unsound(Fault.CONTEXT, f"no context of the document defines {name[:64]!r}")
        if self.names_of.get(iri, set()) - {name}:
            raise Unsound(Fault.CONTEXT, f"{name[:64]!r} is a second name for {iri}")
        return Definition(iri)

    def expand_type(self, text: str) -> str:
        """Expand a term, or an absolute IRI that no term names.

        Raises:
          Unsound: `CONTEXT`: it is neither.
        """
        if ":" not in text:
            iri = self.find(text).iri
            if iri in (ID, TYPE):
                raise Unsound(Fault.CONTEXT, f"{text[:64]!r} names no thing that can be meant")
            return iri
        if text in self.names_of:
            raise Unsound(Fault.CONTEXT, f"{text[:64]!r} must be written by its term")
        return self.expand_id(text)

    def expand_id(self, text: str) -> str:
        """Check an absolute IRI, which no prefix of the contexts changes.

        Raises:
          Unsound: `CONTEXT`: relative, a blank node, compact, or not to be written in N-Quads.
        """
        prefix = self.terms.get(text.partition(":")[0])
        is_compact = prefix is not None and prefix.is_prefix and "://" not in text
        if is_compact or not is_iri(text):
            raise Unsound(
                Fault.CONTEXT, f"{text[:64]!r} is no absolute IRI: write it in full, with scheme"
            )
        return text

    def apply(self, local: Local, scope: Scope = Scope.DOCUMENT) -> ActiveContext:
        """Put a local context on top of this one.

        Raises:
          Unsound: `CONTEXT`.
        """
        return _apply(self, local, scope)


def is_iri(text: str) -> bool:
    """Whether a text is an absolute IRI that N-Quads can write without escapes."""
    return _ABSOLUTE.fullmatch(text) is not None


def find_pinned(known: Mapping[str, Local], url: str) -> Local:
    """Find a pinned context by its URL.

    Raises:
      Unsound: `CONTEXT`: it is not pinned; nothing is ever fetched.
    """
    found = known.get(url)
    if found is None:
        raise Unsound(
            Fault.CONTEXT, f"the context {url[:128]!r} is not pinned here, and none is fetched"
        )
    return found


@lru_cache(maxsize=1_024)
def _apply(active: ActiveContext, local: Local, scope: Scope) -> ActiveContext:
    terms, vocabulary = active.terms, active.vocabulary
    for part in local.list_parts():
        if part is None:
            if scope is not Scope.PROPERTY and any(each.is_protected for each in terms.values()):
                raise Unsound(Fault.CONTEXT, "a context would take protected terms away")
            terms, vocabulary = {}, ""
        else:
            terms, vocabulary = _Builder(terms, vocabulary, local, part, scope).build()
    previous = active.previous or active if scope is Scope.TYPE else active.previous
    return ActiveContext(active.names_of, terms, vocabulary, previous)


class _Builder:
    """Puts the definitions of one context object on top of those in force."""

    def __init__(
        self,
        old: Mapping[str, Definition],
        vocabulary: str,
        local: Local,
        raw: dict[str, Any],
        scope: Scope,
    ) -> None:
        self._old = old
        self._terms = dict(old)
        self._vocabulary = vocabulary
        self._local = local
        self._raw = raw
        self._may_override = scope is Scope.PROPERTY
        self._is_done: dict[str, bool] = {}

    def build(self) -> tuple[dict[str, Definition], str]:
        for keyword in self._raw:
            if keyword.startswith("@") and keyword not in _OF_CONTEXTS:
                raise Unsound(Fault.CONTEXT, f"a pinned context uses {keyword}, not known here")
        if "@vocab" in self._raw:
            self._vocabulary = _read_text(self._raw["@vocab"])
            if self._vocabulary and not is_iri(self._vocabulary):
                raise Unsound(Fault.CONTEXT, "the @vocab of a pinned context is no absolute IRI")
        for term in self._raw:
            if not term.startswith("@"):
                self._define(term)
        return self._terms, self._vocabulary

    def _define(self, term: str) -> None:
        if term in self._is_done:
            if not self._is_done[term]:
                raise Unsound(Fault.CONTEXT, f"a pinned context defines {term!r} by itself")
            return
        self._is_done[term] = False
        self._terms.pop(term, None)
        made = self._read(term, self._raw[term])
        old = self._old.get(term)
        if old is not None and old.is_protected and not self._may_override:
            if not made.means_same(old):
                raise Unsound(Fault.CONTEXT, f"a context redefines the protected term {term!r}")
            made = old
        self._terms[term] = made
        self._is_done[term] = True

    def _read(self, term: str, value: Any) -> Definition:  # noqa: ANN401 - any JSON
        parts = value if isinstance(value, dict) else {"@id": value}
        iri = self._expand(_read_text(parts.get("@id", term)), term)
        coercion = self._expand(_read_text(parts.get("@type")), term)
        container = parts.get("@container") or []
        container = tuple(sorted(container if isinstance(container, list) else [container]))
        is_prefix = isinstance(value, str) and iri.endswith(_PREFIX_ENDS)
        return Definition(
            iri,
            coercion,
            container,
            bool(parts.get("@prefix", is_prefix)),
            bool(parts.get("@protected", self._raw.get("@protected", False))),
            self._local.scope(term, parts["@context"]) if "@context" in parts else None,
            _refuse(parts, iri, coercion, container),
            term,
        )

    def _expand(self, text: str, term: str) -> str:
        """Expand a keyword, term, compact or absolute IRI as the contexts so far have it."""
        if not text or text.startswith("@"):
            return text
        if text != term:
            if text in self._raw:
                self._define(text)
            if text in self._terms:
                return self._terms[text].iri
        head, colon, tail = text.partition(":")
        if not colon:
            return self._vocabulary + text if self._vocabulary else ""
        if tail.startswith("//"):
            return text
        if head in self._raw and head != term:
            self._define(head)
        prefix = self._terms.get(head)
        return prefix.iri + tail if prefix is not None and prefix.is_prefix else text


def _refuse(parts: dict[str, Any], iri: str, coercion: str, container: tuple[str, ...]) -> str:
    """Say why documents must not use a term of this definition; empty if they may."""
    unknown = sorted(set(parts) - _OF_TERMS)
    if unknown:
        return f"its definition has {unknown[0]}, not known here"
    if container not in _CONTAINERS or (coercion == JSON and container):
        return f"containers of kind {', '.join(map(str, container))} are not known here"
    if iri.startswith("@") and (iri not in (ID, TYPE) or set(parts) - {"@id", "@protected"}):
        return f"it is another name of {iri}"
    if iri and not iri.startswith("@") and not is_iri(iri):
        return "it means no absolute IRI"
    if coercion not in _COERCIONS and not is_iri(coercion):
        return "its values are of no type that is known here"
    return ""


def _read_text(value: Any) -> str:  # noqa: ANN401 - any JSON
    if value is None:
        return ""
    if not isinstance(value, str):
        raise Unsound(Fault.CONTEXT, "a pinned context has something else where a text belongs")
    return value
