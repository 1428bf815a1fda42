"""From JSON-LD to RDF, with nothing left over: every member becomes quads, or is refused.

A proof over RDF covers statements, not the text. A reader who knows JSON-LD in full lets members
vanish (undefined terms, `null`, empty arrays) or stand in several ways for one statement, and what
vanishes can be added to a signed document. Here one document gives one set of statements, and no
member can be added, changed or removed without changing that set:

- names are terms of pinned contexts, one name for one meaning; `@context` stands at the head of a
  document and of each credential inside a presentation, and nowhere else;
- no keywords, but `@value` with `@language` or `@type` where a plain value would not say it;
- no nulls, no empty or nested arrays (inside `@json` values everything is allowed, and signed);
- identifiers are absolute IRIs; each thing is described in one place, and each statement made once;
- numbers are those that RDF keeps.

What may still change is what means the same: the order of an array of statements, an array of one
for its element, an object of `id` alone for the identifier, capitals in the name of a language, a
further context that defines nothing which the document uses.

Source: JSON-LD 1.1 Processing Algorithms and API, sections 5.1 (expansion), 7 (to RDF); W3C
Verifiable Credential Data Integrity 1.0, section 2.4.1.
"""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from typing import Any, NamedTuple

from hansa.identity.data_integrity.contexts import Contexts
from hansa.identity.data_integrity.literals import (
    RDF,
    convert_language,
    convert_scalar,
    convert_typed,
    write_json,
)
from hansa.identity.data_integrity.terms import (
    GRAPH,
    ID,
    JSON,
    LIST,
    NONE,
    TYPE,
    VOCAB,
    ActiveContext,
    Definition,
    Scope,
)
from hansa.identity.encoding.strict_json import DEPTH_MAX
from hansa.identity.faults import Fault, Unsound

QUADS_MAX = 4_096
TYPES_MAX = 64
"""Types of one thing."""

_TYPE_OF = f"<{RDF}type>"
_FIRST, _REST, _NIL = f"<{RDF}first>", f"<{RDF}rest>", f"<{RDF}nil>"
_CREDENTIAL = "https://www.w3.org/2018/credentials#verifiableCredential"
_PROOF = "https://w3id.org/security#proof"

Path = tuple[str | int, ...]


class Quad(NamedTuple):
    """A statement; each part as N-Quads writes it, blank nodes as `_:` and a label."""

    subject: str
    predicate: str
    object: str
    graph: str = ""
    """Empty for the default graph."""

    def write(self) -> str:
        """Write its line of N-Quads, end of line included."""
        subject, predicate, object_, graph = self
        return (
            f"{subject} {predicate} {object_} {graph} .\n"
            if graph
            else (f"{subject} {predicate} {object_} .\n")
        )


def convert_document(document: Mapping[str, Any], contexts: Contexts) -> list[Quad]:
    """Convert a document without its proof; blank nodes are `_:b0`, ... as they are met.

    Raises:
      Unsound: `CONTEXT`, `MALFORMED`, `DUPLICATE` or `TOO_LARGE`.
    """
    return _convert(document, contexts).quads


def label_nodes(document: Mapping[str, Any], contexts: Contexts, prefix: str) -> dict[str, Any]:
    """Copy a document, and give all things in it that have no identifier `prefix` and a number.

    So that parts of it, converted by themselves, still speak of the same things.

    Raises:
      Unsound: as `convert_document`.
    """
    unnamed = _convert(document, contexts).unnamed
    try:
        copy = dict(deepcopy(document))
    except RecursionError:
        raise Unsound(Fault.TOO_LARGE, "the document is nested too deep") from None
    for number, path in enumerate(unnamed):
        place: Any = copy
        for step in path:
            place = place[step]
        place["id"] = f"{prefix}{number}"
    return copy


def _convert(document: Mapping[str, Any], contexts: Contexts) -> _Conversion:
    conversion = _Conversion(contexts)
    conversion.convert_root(document, "", ())
    if not conversion.quads:
        raise Unsound(Fault.MALFORMED, "the document says nothing")
    return conversion


class _Conversion:
    """One conversion: what was stated so far, and by which labels."""

    def __init__(self, contexts: Contexts) -> None:
        self.quads: list[Quad] = []
        self.unnamed: list[Path] = []
        """Where objects without identifier stand."""
        self._contexts = contexts
        self._names: Any = None
        """The `@context` of the document or credential at hand."""
        self._stated: set[Quad] = set()
        self._described: set[tuple[str, str]] = set()
        self._labels = 0

    def convert_root(self, document: Mapping[str, Any], graph: str, path: Path) -> str:
        """Convert a document, or a credential inside one: it names its own contexts."""
        if "@context" not in document:
            raise Unsound(Fault.CONTEXT, f"{_show(path)} names no @context")
        active = self._contexts.activate(document["@context"])
        inner = {name: each for name, each in document.items() if name != "@context"}
        outer_names, self._names = self._names, document["@context"]
        name = self._convert_node(inner, active, graph, path)
        self._names = outer_names
        return name

    def _convert_node(
        self, node: Mapping[str, Any], active: ActiveContext, graph: str, path: Path
    ) -> str:
        """State what an object says; return what it is called."""
        if len(path) > DEPTH_MAX:
            raise Unsound(Fault.TOO_LARGE, f"{_show(path)} is nested too deep")
        if len(node) > QUADS_MAX:
            raise Unsound(Fault.TOO_LARGE, f"{_show(path)} has more than {QUADS_MAX} members")
        type_name, types, active = _read_types(node, active, path)
        name, members = _read_members(node, active, path, type_name)
        if not name:
            name = self._draw_label()
            self.unnamed.append(path)
        elif types or members:
            if (name, graph) in self._described:
                raise Unsound(
                    Fault.DUPLICATE,
                    f"{_show(path)} describes {name} once more: elsewhere, give its id alone",
                )
            self._described.add((name, graph))
        for each in types:
            self._state(Quad(name, _TYPE_OF, f"<{each}>", graph), path)
        for member, definition in members:
            self._convert_member(node[member], definition, active, (name, graph), (*path, member))
        return name

    def _convert_member(
        self,
        value: Any,  # noqa: ANN401 - any JSON
        definition: Definition,
        active: ActiveContext,
        subject: tuple[str, str],
        path: Path,
    ) -> None:
        """State what a member says of its object, which stands in a graph."""
        name, graph = subject
        predicate = f"<{definition.iri}>"
        if definition.coercion == JSON:
            self._state(Quad(name, predicate, write_json(value), graph), path)
        elif LIST in definition.container:
            head = self._convert_list(value, definition, active, graph, path)
            self._state(Quad(name, predicate, head, graph), path)
        elif value == []:
            raise Unsound(Fault.MALFORMED, f"{_show(path)} is empty: leave the member out")
        else:
            for index, each in enumerate(value if isinstance(value, list) else [value]):
                place = (*path, index) if isinstance(value, list) else path
                if GRAPH in definition.container:
                    said = self._convert_graph(each, definition, active, place)
                else:
                    said = self._convert_value(each, definition, active, graph, place)
                self._state(Quad(name, predicate, said, graph), place)

    def _convert_value(
        self,
        value: Any,  # noqa: ANN401 - any JSON
        definition: Definition,
        active: ActiveContext,
        graph: str,
        path: Path,
    ) -> str:
        """Convert one value of a member, not an array."""
        if isinstance(value, dict) and "@value" not in value:
            return self._convert_node(value, _enter(active, definition), graph, path)
        active = _apply_scoped(active, definition, is_object=isinstance(value, dict))
        coercion = "" if definition.coercion == NONE else definition.coercion
        if isinstance(value, dict):
            return _convert_value_object(value, coercion, active, _show(path))
        if coercion in (ID, VOCAB):
            if isinstance(value, str):
                expand = active.expand_id if coercion == ID else active.expand_type
                return f"<{expand(value)}>"
            coercion = ""
        return convert_scalar(value, coercion, _show(path))

    def _convert_list(
        self,
        value: Any,  # noqa: ANN401 - any JSON
        definition: Definition,
        active: ActiveContext,
        graph: str,
        path: Path,
    ) -> str:
        """State an ordered list; return the name of its head."""
        if not isinstance(value, list) or len(value) > QUADS_MAX:
            raise Unsound(
                Fault.MALFORMED, f"{_show(path)} must be an array, of {QUADS_MAX} at most"
            )
        said = [
            self._convert_value(each, definition, active, graph, (*path, index))
            for index, each in enumerate(value)
        ]
        rest = _NIL
        for each in reversed(said):
            cell = self._draw_label()
            self._state(Quad(cell, _FIRST, each, graph), path)
            self._state(Quad(cell, _REST, rest, graph), path)
            rest = cell
        return rest

    def _convert_graph(
        self,
        value: Any,  # noqa: ANN401 - any JSON
        definition: Definition,
        active: ActiveContext,
        path: Path,
    ) -> str:
        """State what an object says in a graph of its own; return the graph's name."""
        if not isinstance(value, dict):
            raise Unsound(Fault.MALFORMED, f"{_show(path)} must be an object")
        graph = self._draw_label()
        before = len(self.quads)
        if definition.iri == _CREDENTIAL:
            self.convert_root(value, graph, path)
        else:
            if definition.iri == _PROOF and _repeats(value, self._names):
                value = {name: each for name, each in value.items() if name != "@context"}
            self._convert_node(value, _enter(active, definition), graph, path)
        if len(self.quads) == before:
            raise Unsound(Fault.MALFORMED, f"{_show(path)} says nothing")
        return graph

    def _state(self, quad: Quad, path: Path) -> None:
        if quad in self._stated:
            raise Unsound(Fault.DUPLICATE, f"{_show(path)} says the same thing twice")
        if len(self.quads) == QUADS_MAX:
            raise Unsound(Fault.TOO_LARGE, f"the document makes more than {QUADS_MAX} statements")
        self._stated.add(quad)
        self.quads.append(quad)

    def _draw_label(self) -> str:
        self._labels += 1
        return f"_:b{self._labels - 1}"


_NOTHING = Definition("")


def _enter(active: ActiveContext, definition: Definition) -> ActiveContext:
    """Make the context of an object that is a member's value."""
    return _apply_scoped(active.previous or active, definition, is_object=True)


def _apply_scoped(
    active: ActiveContext, definition: Definition, *, is_object: bool
) -> ActiveContext:
    """Put the context that a member brings along on top, unless readers differ about it."""
    scoped = definition.scoped
    if scoped is None:
        return active
    inner = active.apply(scoped, Scope.PROPERTY if is_object else Scope.DOCUMENT)
    again = inner.terms.get(definition.term, _NOTHING)
    is_changed = again.scoped is not None and again.scoped.raw != scoped.raw
    if is_changed or (not is_object and again.coercion != definition.coercion):
        raise Unsound(
            Fault.CONTEXT, f"{definition.term!r} has a context in which it means something else"
        )
    return inner


def _read_types(
    node: Mapping[str, Any], active: ActiveContext, path: Path
) -> tuple[str, list[str], ActiveContext]:
    """Expand the types of an object, and put their contexts on top; also name their member."""
    members = [name for name in node if active.terms.get(name, _NOTHING).iri == TYPE]
    if not members:
        return "", [], active
    value = node[members[0]]
    texts = value if isinstance(value, list) else [value]
    is_sound = 0 < len(texts) <= TYPES_MAX and all(isinstance(each, str) for each in texts)
    if not is_sound or len(members) > 1:
        raise Unsound(Fault.MALFORMED, f"{_show((*path, members[0]))} must be one or more types")
    types = [active.expand_type(each) for each in texts]
    inner = active
    for each in sorted(texts):
        scoped = active.terms.get(each, _NOTHING).scoped
        if scoped is not None:
            inner = inner.apply(scoped, Scope.TYPE)
    return members[0], types, inner


def _read_members(
    node: Mapping[str, Any], active: ActiveContext, path: Path, type_name: str
) -> tuple[str, list[tuple[str, Definition]]]:
    """Read what an object is called, and what its other members mean."""
    name = ""
    members = []
    for member, value in node.items():
        if not isinstance(member, str):
            raise Unsound(Fault.MALFORMED, f"{_show(path)} has a member whose name is no text")
        definition = active.find(member)
        if (definition.iri == TYPE) != (member == type_name) or definition.iri.startswith(RDF):
            raise Unsound(Fault.CONTEXT, f"{_show((*path, member))} is another name of a type")
        if definition.iri == ID:
            if name or not isinstance(value, str):
                raise Unsound(Fault.MALFORMED, f"{_show((*path, member))} must be one IRI")
            name = f"<{active.expand_id(value)}>"
        elif member != type_name:
            members.append((member, definition))
    return name, members


def _convert_value_object(
    value: Mapping[str, Any], coercion: str, active: ActiveContext, where: str
) -> str:
    """Convert an object that adds a language or a datatype to a text."""
    if set(value) == {"@value", "@language"}:
        return convert_language(value["@value"], value["@language"], where)
    if set(value) == {"@value", "@type"} and isinstance(value["@type"], str):
        return convert_typed(value["@value"], active.expand_type(value["@type"]), coercion, where)
    raise Unsound(Fault.MALFORMED, f"{where} must have @value, with @language or @type, alone")


def _repeats(proof: Mapping[str, Any], names: Any) -> bool:  # noqa: ANN401 - any JSON
    """Whether a proof over JSON repeats the contexts of its document, as it should."""
    return proof.get("@context") == names and "-jcs-" in str(proof.get("cryptosuite"))


def _show(path: Path) -> str:
    """Show a place as a JSON pointer."""
    return "/" + "/".join(str(each)[:64] for each in path) if path else "the document"
