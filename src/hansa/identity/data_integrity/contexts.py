"""Contexts: which JSON-LD contexts are known here. None is ever fetched.

The files in `pinned` are the W3C's, byte for byte: their SHA-256 are those that VC Data Model 2.0
(section B.1) and Data Integrity 1.0 (section 2.4) publish. An issuer with words of its own adds a
context to a set of its own, by URL and content.

A proof over statements does not cover the contexts. So that nobody can put another context, with
other names for the same, in the place of a document's, an IRI that has two names in a set cannot
be used.

Source: W3C Verifiable Credential Data Integrity 1.0, sections 2.4.1 and 4.6.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from importlib.resources import files
from typing import Any

from hansa.identity.data_integrity.terms import ActiveContext, Local, Scope, find_pinned
from hansa.identity.encoding.strict_json import decode_object
from hansa.identity.faults import Fault, Unsound

CREDENTIALS_V1 = "https://www.w3.org/2018/credentials/v1"
CREDENTIALS_V2 = "https://www.w3.org/ns/credentials/v2"
UNDEFINED_TERMS = "https://www.w3.org/ns/credentials/undefined-terms/v2"
"""For issuers without words of their own: a name means a vocabulary's word of that name."""
CONTEXTS_MAX = 8
"""Contexts that one document may name."""

_FILES = {
    CREDENTIALS_V1: "credentials-v1",
    CREDENTIALS_V2: "credentials-v2",
    "https://w3id.org/security/data-integrity/v1": "data-integrity-v1",
    "https://w3id.org/security/data-integrity/v2": "data-integrity-v2",
    "https://w3id.org/security/multikey/v1": "multikey-v1",
}
_UNDEFINED = {"@context": {"@vocab": "https://www.w3.org/ns/credentials/undefined-term#"}}
"""Its whole content; VC Data Model 2.0, section B.2 (vocabularies), names it."""


class Contexts:
    """A set of contexts that documents may name; each must be readable by itself.

    Raises:
      Unsound: `CONTEXT`.
    """

    def __init__(self, documents: Mapping[str, Mapping[str, Any]]) -> None:
        self._documents = dict(documents)
        self._locals: dict[str, Local] = {}
        for url, document in documents.items():
            self._locals[url] = Local(document.get("@context"), self._locals)
        self._names_of: dict[str, set[str]] = {}
        self._root = ActiveContext(self._names_of)
        self._vocabularies: set[str] = set()
        for local in self._locals.values():
            self._collect(self._root.apply(local), set())
        if any(
            one != other and one.startswith(other)
            for one in self._vocabularies
            for other in self._vocabularies - {""}
        ):
            raise Unsound(Fault.CONTEXT, "one @vocab of the pinned contexts begins like another")

    def _collect(self, active: ActiveContext, seen: set[Local]) -> None:
        """Collect which terms mean an IRI, here and in the contexts that these bring along."""
        self._vocabularies.add(active.vocabulary)
        for name, each in active.terms.items():
            self._names_of.setdefault(each.iri, set()).add(name)
            if each.scoped is not None and each.scoped not in seen:
                seen.add(each.scoped)
                self._collect(active.apply(each.scoped, Scope.PROPERTY), seen)

    @property
    def documents(self) -> Mapping[str, Mapping[str, Any]]:
        """The contexts themselves, by URL."""
        return self._documents

    def extend(self, documents: Mapping[str, Mapping[str, Any]]) -> Contexts:
        """Make a set that also has these, by URL; none of the present ones can be replaced.

        Raises:
          Unsound: `CONTEXT`: a URL that is already pinned.
        """
        twice = sorted(set(documents) & set(self._documents))
        if twice:
            raise Unsound(Fault.CONTEXT, f"the context {twice[0]!r} is pinned already")
        return Contexts({**self._documents, **documents})

    def activate(self, names: Any) -> ActiveContext:  # noqa: ANN401 - a decode edge
        """Make the active context of a document from its `@context`.

        Raises:
          Unsound: `CONTEXT`: not a list of pinned URLs, each once, or they contradict each other.
        """
        urls = [names] if isinstance(names, str) else names
        if (
            not isinstance(urls, list)
            or not urls
            or not all(isinstance(each, str) for each in urls)
        ):
            raise Unsound(
                Fault.CONTEXT, "@context must name pinned contexts by URL; none may stand inline"
            )
        if len(urls) > CONTEXTS_MAX or len(set(urls)) < len(urls):
            raise Unsound(
                Fault.CONTEXT, f"@context must name at most {CONTEXTS_MAX} contexts, each once"
            )
        active = self._root
        for url in urls:
            active = active.apply(find_pinned(self._locals, url))
        return active


@lru_cache(maxsize=1)
def load_pinned() -> Contexts:
    """Load the contexts of the W3C that are part of the package."""
    folder = files(__package__) / "pinned"
    return Contexts(
        {
            url: decode_object((folder / f"{name}.jsonld").read_bytes(), url)
            for url, name in _FILES.items()
        }
        | {UNDEFINED_TERMS: _UNDEFINED}
    )
