"""The frame of a document: all of it but its entries, through expat from end to end.

Source: ISO 20022 message definitions camt.052, camt.053 and camt.054, `GroupHeader`,
`AccountReport`, `AccountStatement`, `AccountNotification`; version 01 differs in some names.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import NamedTuple
from xml.parsers import expat
from xml.sax.saxutils import quoteattr

from hansa.kernel.errors import Invalid, InvalidCode
from hansa.reconcile.entries import Fault, Kind
from hansa.reconcile.readers.camt.markup import DEPTH_MAX, Names

TEXT_MAX = 4_096
"""Letters kept of a field; the schemas allow 500."""
FIELDS_MAX = 1_000
"""Kept of a statement's frame, and as many balances; a usual one has thirty, and ten balances."""
STATEMENTS = {"Stmt": Kind.STATEMENT, "Rpt": Kind.REPORT, "Ntfctn": Kind.NOTIFICATION}
MESSAGE = re.compile("(BkToCstmrStmt|BkToCstmrAcctRpt|BkToCstmrDbtCdtNtfctn)(V[0-9]{2})?")
NAMESPACE = re.compile(r"camt\.05[234]\.001\.([0-9]{2})")
_WRONG_BYTE = re.compile("[\udc80-\udcff]")


class FrameError(Exception):
    """A frame that is not well-formed: at which line, why, and where in what was fed last."""

    def __init__(self, line: int, text: str, place: int) -> None:
        super().__init__(text)
        self.line = line
        self.text = text
        self.place = place


class Value(NamedTuple):
    """The text of an element that has no others in it."""

    text: str
    currency: str
    line: int


@dataclass(slots=True)
class Fields:
    """Fields of a statement's frame, or of the header of all, by the path of their element."""

    kind: Kind
    line: int
    first: dict[str, Value] = field(default_factory=dict)
    balances: list[dict[str, Value]] = field(default_factory=list)
    strangers: list[int] = field(default_factory=list)
    """Lines of entries that are not written as they should be, and were not cut out."""

    def get(self, *paths: str) -> str:
        """Get the text of the first of these paths that is there, else an empty one."""
        return next((self.first[path].text for path in paths if path in self.first), "")

    def begin_balance(self) -> None:
        """Begin another balance; of very many the last ones are one."""
        if len(self.balances) < FIELDS_MAX:
            self.balances.append({})

    def add(self, path: str, value: Value) -> None:
        """Add a field; of several with one path the first counts, but of balances."""
        fields = self.first
        if path.startswith("Bal/") and self.balances:
            fields, path = self.balances[-1], path[len("Bal/") :]
        if len(fields) < FIELDS_MAX:
            fields.setdefault(path, value)


class Frame:
    """What is open after what was fed, and the statements that ended in it."""

    def __init__(self) -> None:
        self.header = Fields(Kind.STATEMENT, 1)
        self.statement: Fields | None = None
        self.statement_name = ""
        """As written, with its prefix."""
        self.is_at_entries = False
        """Whether the next element would be the statement's own."""
        self.ended: list[Fields] = []
        self.version: str | None = None
        """Two digits, empty if the namespace has none; None until the message begins."""
        self.message_line = 0
        self.has_wrong_bytes = False
        self.last_piece = b""
        """Fed last, to show where it is broken."""
        self._namespace = ""
        self._namespaces: list[tuple[str, str]] = []
        self._path: list[str] = []
        self._message_depth = 0
        self._text: list[str] = []
        self._currency = ""
        self._is_leaf = False
        self._lines_skipped = 0
        self._ancestors: list[str] = []
        """The message's element, and those around it, as written."""
        self._fed = 0
        self._parser = self._make_parser()

    def _make_parser(self) -> expat.XMLParserType:
        parser = expat.ParserCreate("utf-8", " ")
        parser.namespace_prefixes = True
        parser.buffer_text = True
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._add_text
        parser.StartDoctypeDeclHandler = self._refuse_doctype
        parser.StartNamespaceDeclHandler = self._declare
        parser.EndNamespaceDeclHandler = self._undeclare
        return parser

    @property
    def line(self) -> int:
        """Line of the document where the parser is."""
        return self._parser.CurrentLineNumber + self._lines_skipped

    def feed(self, data: bytes, *, is_last: bool = False) -> None:
        """Feed a part of the frame.

        Raises:
          FrameError: it is not well-formed.
          Invalid: it does what a statement may not do.
        """
        self.last_piece = data or self.last_piece
        try:
            data.decode()
        except UnicodeDecodeError:
            self.has_wrong_bytes = True
            data = _WRONG_BYTE.sub("\ufffd", data.decode("utf-8", "surrogateescape")).encode()
        try:
            self._parser.Parse(data, is_last)
        except expat.ExpatError as error:
            text = expat.ErrorString(error.code) or "not well-formed"
            place = min(max(self._parser.ErrorByteIndex - self._fed, 0), len(data))
            raise FrameError(error.lineno + self._lines_skipped, text, place) from None
        self._fed += len(data)

    def resume(self, line: int) -> None:
        """Begin anew at a statement on this line, as if all was well before it."""
        scope = dict(self._namespaces)
        declarations = _declare(scope)
        self._parser = self._make_parser()
        self._namespaces, self._path, self.statement = [], [], None
        opening = [f"<{name}{declarations}>" for name in self._ancestors]
        self._fed = 0
        self.feed("".join(opening).encode())
        self._lines_skipped = line - self._parser.CurrentLineNumber

    def skip(self, lines: int) -> None:
        """Count the lines of entries that are not fed."""
        self._lines_skipped += lines

    def find_names(self, prefix: str) -> Names | None:
        """Find how entries with this prefix, and its colon, are written; None if they are none."""
        scope = dict(self._namespaces)
        if scope.get(prefix.rstrip(":"), "") != self._namespace:
            return None
        return Names(prefix, self._namespace, _declare(scope))

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        namespace, local, prefix = _split_name(name)
        depth = len(self._path)
        if self.version is None:
            self._ancestors[depth:] = [f"{prefix}:{local}" if prefix else local]
        if depth >= DEPTH_MAX:
            raise refuse(f"elements are nested more than {DEPTH_MAX} deep", self.line)
        if self.version is None and MESSAGE.fullmatch(local):
            found = NAMESPACE.search(namespace)
            self.version = found[1] if found else ""
            self._namespace, self._message_depth = namespace, depth + 1
            self.message_line = self.line
        is_own = self.version is not None and namespace == self._namespace
        self._path.append(local if is_own else "")
        within = depth - self._message_depth
        if is_own and within == 0 and local in STATEMENTS:
            self.statement = Fields(STATEMENTS[local], self.line)
            self.statement_name = f"{prefix}:{local}" if prefix else local
        elif self.statement and within == 1 and self._path[-1] == "Bal":
            self.statement.begin_balance()
        strangers = (self.statement or self.header).strangers
        if is_own and local == "Ntry" and len(strangers) < FIELDS_MAX:
            strangers.append(self.line)
        self._judge_place()
        self._text.clear()
        self._currency = attributes.get("Ccy", "")
        self._is_leaf = True

    def _end(self, _name: str) -> None:
        within = self._path[self._message_depth :]
        if self._is_leaf and len(within) > 1 and all(within):
            fields = self.statement or (self.header if within[0] == "GrpHdr" else None)
            if fields:
                text = "".join(self._text).strip(" \t\n")[:TEXT_MAX]
                fields.add("/".join(within[1:]), Value(text, self._currency, self.line))
        if self.statement and len(within) == 1:
            self.ended.append(self.statement)
            self.statement = None
        self._path.pop()
        self._judge_place()
        self._text.clear()
        self._is_leaf = False

    def _judge_place(self) -> None:
        self.is_at_entries = (
            self.statement is not None and len(self._path) == self._message_depth + 1
        )

    def _add_text(self, text: str) -> None:
        if self._is_leaf:
            self._text.append(text)

    def _declare(self, prefix: str | None, uri: str | None) -> None:
        self._namespaces.append((prefix or "", uri or ""))

    def _undeclare(self, _prefix: str | None) -> None:
        self._namespaces.pop()

    def _refuse_doctype(self, *_: object) -> None:
        raise refuse("it has a document type, which no statement needs and attacks use", self.line)


def _declare(scope: dict[str, str]) -> str:
    """Write the namespaces of a scope as attributes."""
    return "".join(
        f" xmlns{':' if name else ''}{name}={quoteattr(uri)}"
        for name, uri in scope.items()
        if uri or not name
    )


def _split_name(name: str) -> tuple[str, str, str]:
    """Split what expat calls an element: namespace, local name, prefix; empty if there is none."""
    parts = name.split(" ")
    if len(parts) == 1:
        return "", parts[0], ""
    return parts[0], parts[1], parts[2] if len(parts) > 2 else ""  # noqa: PLR2004


def refuse(text: str, line: int) -> Invalid:
    """Make the error of a file that is not safe to read."""
    return Invalid(InvalidCode.MALFORMED, f"{text}: not read", fault=Fault.UNSAFE, line=line)
