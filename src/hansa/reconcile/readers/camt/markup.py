"""Markup of one entry as tags and the texts between them: quickly if it is plain, else by expat.

Entries of one bank are shaped alike. What differs are the texts, so the tags of an entry, taken
together, are its *shape*, and all that is to be known of a shape is found once. An entry is plain
if splitting it at `<` and `>` gives its tags: without comments, CDATA, processing instructions,
references but the five that XML itself has, or attributes but `Ccy`. Whatever is not plain, expat
reads; both give the same.

Source: XML 1.0 (fifth edition), sections 2 and 3; Namespaces in XML 1.0.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple, TypeAlias
from xml.parsers import expat

from hansa.reconcile.entries import Fault
from hansa.reconcile.readers.fields import FieldError

DEPTH_MAX = 64
"""Elements within one another; the deepest that the schemas have are about 15."""
MARK = "\x01"
"""Ends a tag of a shape; XML allows it nowhere, so that no text has it."""
NONE = -1
"""Index of a text that is not there: texts end with an empty one."""
_NAME = "[A-Za-z_][A-Za-z0-9_.-]*"
_BLANK = "[ \\t\\n]"
_TAG = re.compile(
    f'(/?)((?:{_NAME}:)?)({_NAME})(?:{_BLANK}+Ccy="([^<&"\\t\\n]*)")?{_BLANK}*(/?){MARK}'
)
_REFERENCE = re.compile("&(?:(amp|lt|gt|quot|apos);)?")
_REFERENCES = {"amp": "&", "lt": "<", "gt": ">", "quot": '"', "apos": "'"}
_ODD = "\\x00-\\x08\\x0b-\\x1f"
"""Control characters that XML allows nowhere."""
_HAS_ODD = re.compile(f"[{_ODD}]")
_TEXT = f"[^<>{_ODD}]*+"
_NO_TEXT = f"[^<>&{_ODD}]*+"
_SPECIAL = re.compile(r"<!--.*?(?:-->|\Z)|<!\[CDATA\[.*?(?:\]\]>|\Z)|<\?.*?(?:\?>|\Z)", re.DOTALL)
_SPECIAL_BYTES = re.compile(_SPECIAL.pattern.encode(), re.DOTALL)


class Tag(NamedTuple):
    """A tag with the place of the text that follows it."""

    name: str
    """Local, in the namespace of the message; empty if the element has another."""
    is_start: bool
    is_end: bool
    """Both of an empty element's only tag."""
    currency: str
    text: int
    """Index into the texts of the entry, `NONE` of an empty element's only tag."""


_Tree: TypeAlias = dict[tuple[str, Tag, bool], "_Tree"]
"""Tags, whether only text follows on them, and what may follow then."""


class Names(NamedTuple):
    """Names of elements as the document writes them where its entries stand."""

    prefix: str = ""
    """With its colon; empty if the message's namespace is the default."""
    namespace: str = ""
    declarations: str = ""
    """Of all namespaces, as attributes."""


class NotXmlError(Exception):
    """An entry that is not well-formed by itself; says why."""


def mask(text: str) -> str:
    """Overwrite comments, CDATA and processing instructions, whose `<` begin no tags."""
    return _SPECIAL.sub(lambda found: MARK * len(found[0]), text)


def mask_bytes(data: bytes) -> bytes:
    """Overwrite the same of bytes; what has not ended yet is overwritten to the end."""
    return _SPECIAL_BYTES.sub(lambda found: b"\x01" * len(found[0]), data)


def split(piece: str) -> tuple[list[str], list[str]] | None:
    """Split a piece of markup into its tags, and the texts before, between and after them.

    Returns:
      None if it is not plain at first sight. Else it is plain if `name_tags` takes the tags: then
      each of them ends with its own `>`, there are no more of these, and so none is in a text.
    """
    parts = piece.replace(">", MARK + "<").split("<")
    tags, texts = parts[1::2], parts[::2]
    if len(parts) != 2 * len(tags) + 1 or piece.count(">") != len(tags) or _HAS_ODD.search(piece):
        return None
    resolved = resolve(texts) if "&" in piece else texts
    return None if resolved is None else (tags, resolved)


def resolve(texts: Sequence[str]) -> list[str] | None:
    """Resolve the references that XML itself has; None if there are others."""
    resolved = []
    for text in texts:
        if "&" in text:
            if any(not found[1] for found in _REFERENCE.finditer(text)):
                return None
            resolved.append(_REFERENCE.sub(_resolve, text))
        else:
            resolved.append(text)
    return resolved


def _resolve(found: re.Match[str]) -> str:
    return _REFERENCES[found[1]]


def name_tags(shape: Sequence[str], prefix: str) -> list[Tag] | None:
    """Name the tags of a shape; None if one is unusual, or they are nested wrongly."""
    tags = []
    opened: list[str] = []
    for place, raw in enumerate(shape, 1):
        found = _TAG.fullmatch(raw)
        if found is None or found[2] != prefix:
            return None
        ends, name, currency, is_empty = found[1], found[3], found[4], found[5]
        if ends:
            if currency is not None or is_empty or not opened or opened.pop() != name:
                return None
        elif not is_empty:
            opened.append(name)
            if len(opened) > DEPTH_MAX:
                return None
        text = NONE if is_empty else place
        tags.append(Tag(name, not ends, bool(ends or is_empty), currency or "", text))
        if not opened and place < len(shape):
            return None
    return None if opened else tags


class Ending(NamedTuple):
    """How a shape ends in the pattern of several, and which groups are its texts."""

    groups: tuple[int, ...]
    """First what stands before the first tag, last the group that ends it, which is empty."""
    tags: list[Tag]
    """With places in the groups for texts."""


class Shapes:
    """Plain entries of several shapes as one pattern, which tries what they share once.

    References are still to be resolved in what it matches.
    """

    def __init__(self, shapes: Sequence[tuple[Sequence[str], Sequence[Tag]]]) -> None:
        self.endings: dict[int, Ending] = {}
        """By their last group, which is the match's `lastindex`."""
        self._groups = 1
        tree: _Tree = {}
        for raws, tags in shapes:
            place = tree
            for raw, tag, after in zip(raws, tags, [*tags[1:], None], strict=True):
                is_leaf = not tag.is_end and after is not None and not after.is_start
                place = place.setdefault((raw, tag, is_leaf), {})
        self.pattern = re.compile(f"([ \t\n]*+){self._build(tree, (1,), [])}")

    def _build(self, tree: _Tree, groups: tuple[int, ...], tags: list[Tag]) -> str:
        """Build the pattern of what follows; shapes that part are alternatives."""
        pattern = ""
        while len(tree) == 1:
            ((raw, tag, is_leaf), tree) = next(iter(tree.items()))
            pattern += re.escape(f"<{raw[:-1]}>")
            if is_leaf:
                self._groups += 1
                tags = [*tags, tag._replace(text=len(groups))]
                groups = (*groups, self._groups)
                pattern += f"({_TEXT})"
            else:
                tags = [*tags, tag]
                pattern += _NO_TEXT if tree else ""
        if tree:
            each = ({edge: following} for edge, following in tree.items())
            parts = [self._build(branch, groups, tags) for branch in each]
            return f"{pattern}(?:{'|'.join(parts)})"
        self._groups += 1
        self.endings[self._groups] = Ending((*groups, self._groups), tags)
        return f"{pattern}()"


def parse(element: str, names: Names) -> tuple[list[Tag], list[str]]:
    """Parse any element by expat.

    Raises:
      NotXmlError: it is not well-formed, or another begins behind it.
      FieldError: it is nested too deeply.
    """
    gathering = _Gathering(names.namespace)
    parser = expat.ParserCreate("utf-8", " ")
    parser.buffer_text = True
    parser.StartElementHandler = gathering.start
    parser.EndElementHandler = gathering.end
    parser.CharacterDataHandler = gathering.add_text
    try:
        parser.Parse(f"<x{names.declarations}>", False)  # noqa: FBT003 - expat takes no names
        gathering.clear()
        parser.Parse(element.encode("utf-8", "surrogatepass"), False)  # noqa: FBT003
        tags, texts = gathering.finish()
        parser.Parse("</x>", True)  # noqa: FBT003
    except expat.ExpatError as error:
        raise NotXmlError(expat.ErrorString(error.code) or "not well-formed") from None
    return tags, texts


class _Gathering:
    """Gathers what expat tells, as tags and texts."""

    def __init__(self, namespace: str) -> None:
        self.namespace = namespace
        self.clear()

    def clear(self) -> None:
        self.tags: list[Tag] = []
        self.texts: list[str] = []
        self.depth = 0
        self._text: list[str] = []

    def start(self, name: str, attributes: dict[str, str]) -> None:
        self.depth += 1
        if self.depth > DEPTH_MAX:
            raise FieldError(Fault.UNSAFE, f"elements are nested more than {DEPTH_MAX} deep")
        self._add(name, attributes.get("Ccy", ""), is_start=True)

    def end(self, name: str) -> None:
        self.depth -= 1
        self._add(name, "", is_start=False)

    def finish(self) -> tuple[list[Tag], list[str]]:
        """Give all of it; the last text, which nothing refers to, is empty."""
        return self.tags[:], [*self.texts, "".join(self._text), ""]

    def _add(self, name: str, currency: str, *, is_start: bool) -> None:
        self.texts.append("".join(self._text))
        self._text.clear()
        namespace, _, local = name.rpartition(" ")
        self.tags.append(
            Tag(
                local if namespace == self.namespace else "",
                is_start,
                not is_start,
                currency,
                len(self.texts),
            )
        )

    def add_text(self, text: str) -> None:
        self._text.append(text)
