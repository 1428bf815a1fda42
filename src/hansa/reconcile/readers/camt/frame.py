"""The frame of a document: all of it but its entries, through expat from end to end.

Source: ISO 20022 message definitions camt.052, camt.053 and camt.054, `GroupHeader`,
`AccountReport`, `AccountStatement`, `AccountNotification`; version 01 differs in some names.
"""

from __future__ import annotations

import codecs
import re
from contextlib import suppress
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
_PAGE = ("PgNb", "LastPgInd")
_ACCOUNT = "Acct/Id"
_TOTALS = ("NbOfNtries", "Sum")
MESSAGE = re.compile("(BkToCstmrStmt|BkToCstmrAcctRpt|BkToCstmrDbtCdtNtfctn)(V[0-9]{2})?")
NAMESPACE = re.compile(r"camt\.05[234]\.001\.([0-9]{2})")
_WRONG_BYTE = re.compile("[\udc80-\udcff]")
_BEYOND = {
    expat.errors.codes[text]
    for text in (
        expat.errors.XML_ERROR_JUNK_AFTER_DOC_ELEMENT,
        expat.errors.XML_ERROR_MISPLACED_XML_PI,
        expat.errors.XML_ERROR_INVALID_TOKEN,
    )
}
"""What expat calls what follows on a document: an element, a declaration, a byte order mark."""
_ONCE = {
    "Id",
    "ElctrncSeqNb",
    "LglSeqNb",
    *(f"{name}Pgntn/{part}" for name in ("Stmt", "Rpt", "Ntfctn", "Msg") for part in _PAGE),
    *(f"FrToDt/{name}" for name in ("FrDtTm", "FrDt", "ToDtTm", "ToDt")),
    *(f"Acct/Id/{name}" for name in ("IBAN", "Othr/Id", "BBAN", "PrtryAcct/Id", "UPIC")),
    "Acct/Ccy",
    *(f"TxsSummry/Ttl{name}Ntries/{part}" for name in ("", "Cdt", "Dbt") for part in _TOTALS),
    "TxsSummry/TtlNtries/TtlNetNtryAmt",
    "TxsSummry/TtlNtries/TtlNetNtry/Amt",
}
"""What is read of a statement's frame, and may stand there once."""
_ONCE_IN_BALANCE = {
    *(f"Tp/{name}" for name in ("CdOrPrtry/Cd", "CdOrPrtry/Prtry", "Cd", "Prtry")),
    "Amt",
    "CdtDbtInd",
    "Dt/Dt",
    "Dt/DtTm",
}


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


class Contradiction(NamedTuple):
    """An element that may stand once, and stands there twice: where, and what it says there."""

    path: str
    line: int
    text: str
    other: str


@dataclass(slots=True)
class Fields:
    """Fields of a statement's frame, or of a message's header, by the path of their element."""

    kind: Kind
    line: int
    header: Fields | None = None
    """Of the message that a statement is in."""
    first: dict[str, Value] = field(default_factory=dict)
    balances: list[dict[str, Value]] = field(default_factory=list)
    strangers: list[int] = field(default_factory=list)
    """Lines of entries that are not written as they should be, and were not cut out."""

    contradictions: list[Contradiction] = field(default_factory=list)
    """What they are about counts as not said."""
    accounts: int = 0
    """How often an account is named."""
    _doubted: set[str] = field(default_factory=set)
    """What contradictions are about, but in balances; the ways to name an account are one."""
    _is_full: bool = False
    """Whether a balance is one too many."""

    @property
    def is_of_several_accounts(self) -> bool:
        """Whether it names one account, and another."""
        return _ACCOUNT in self._doubted

    def get(self, *paths: str) -> str:
        """Get the text of the first of these paths that is there, else an empty one."""
        return next((self.first[path].text for path in paths if path in self.first), "")

    def begin_balance(self) -> None:
        """Begin another balance; of very many the last ones are not kept."""
        self._is_full = len(self.balances) == FIELDS_MAX
        if not self._is_full:
            self.balances.append({})

    def add(self, path: str, value: Value) -> None:
        """Add a field; of several with one path the first counts, if they may be several."""
        if path.startswith("Bal/") and self.balances:
            within = path[len("Bal/") :]
            balance = self.balances[-1]
            if self._is_full:
                return
            if within in _ONCE_IN_BALANCE and _differs(balance.get(within), value):
                self._contradict(path, balance[within], value)
                balance.clear()
            elif len(balance) < FIELDS_MAX:
                balance.setdefault(within, value)
            return
        if path in _ONCE and self._contradicts(path, value):
            return
        if len(self.first) < FIELDS_MAX:
            self.first.setdefault(path, value)

    def _contradicts(self, path: str, value: Value) -> bool:
        """Whether it was said already, and differently."""
        group = _find_group(path)
        if group in self._doubted:
            return True
        before = self.first.get(path)
        if before is None and self.accounts > 1 and group == _ACCOUNT:
            # the other account may be named in another way
            before = next((self.first[each] for each in self._list_said(group)), None)
        if before is None or not _differs(before, value):
            return False
        self._contradict(path, before, value)
        self._doubted.add(group)
        for each in self._list_said(group):
            del self.first[each]
        return True

    def _list_said(self, group: str) -> list[str]:
        return [path for path in self.first if path in _ONCE and _find_group(path) == group]

    def _contradict(self, path: str, before: Value, value: Value) -> None:
        if len(self.contradictions) < FIELDS_MAX:
            texts = (f"{each.text[:40]} {each.currency[:40]}".strip() for each in (before, value))
            self.contradictions.append(Contradiction(path, value.line, *texts))


def _find_group(path: str) -> str:
    return _ACCOUNT if path.startswith(f"{_ACCOUNT}/") else path


def _differs(before: Value | None, value: Value) -> bool:
    return before is not None and before[:2] != value[:2]


@dataclass(slots=True)
class Message:
    """What is told of one message: a file may have several."""

    line: int
    header: Fields
    version: str | None = None
    """Two digits, empty if the namespace has none; None until the message begins."""
    statements: int = 0


class Frame:
    """What is open after what was fed, and the statements that ended in it.

    Documents may follow on each other, as when files were joined: each is read as if it was alone.
    """

    def __init__(self) -> None:
        self.message = _make_message(1)
        self.over: list[Message] = []
        """Messages before it, which have ended."""
        self.documents: list[int] = []
        """Lines where another document begins."""
        self.statement: Fields | None = None
        self.statement_name = ""
        """As written, with its prefix."""
        self.is_at_entries = False
        """Whether the next element would be the statement's own."""
        self.ended: list[Fields] = []
        self.has_wrong_bytes = False
        self.last_piece = b""
        """Fed last, to show where it is broken."""
        self._namespace = ""
        self._namespaces: list[tuple[str, str]] = []
        self._path: list[str] = []
        self._version: str | None = None
        """Of the last message that began."""
        self._message_depth = 0
        self._is_in_message = False
        self._opening = ""
        """Tags of that message, and of the elements around it."""
        self._has_root = False
        self._is_another = False
        """Whether it is not the first document of the file."""
        self._encoding = ""
        self._declared = "utf-8"
        self._text: list[str] = []
        self._currency = ""
        self._is_leaf = False
        self._lines_skipped = 0
        self._ancestors: list[str] = []
        """Elements around the message's, as written."""
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
        parser.XmlDeclHandler = self._read_declaration
        parser.StartNamespaceDeclHandler = self._declare
        parser.EndNamespaceDeclHandler = self._undeclare
        return parser

    @property
    def has_begun(self) -> bool:
        """Whether there was any message in the file."""
        return self._version is not None

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
        view = memoryview(data)
        start = 0
        while True:
            try:
                self._parser.Parse(view[start:], is_last)
                break
            except expat.ExpatError as error:
                place = min(max(self._parser.ErrorByteIndex - self._fed, 0), len(data))
                line = error.lineno + self._lines_skipped
                if not self._is_beyond(error.code, data, place):
                    text = expat.ErrorString(error.code) or "not well-formed"
                    raise FrameError(line, text, place) from None
                start = place + len(codecs.BOM_UTF8) * data.startswith(codecs.BOM_UTF8, place)
                self._begin_document(line, start)
        self._fed += len(data)

    def _is_beyond(self, code: int, data: bytes, place: int) -> bool:
        """Whether an error is that the document is over, and another begins."""
        follows = data.startswith((b"<", codecs.BOM_UTF8), place)
        return code in _BEYOND and self._has_root and not self._path and follows

    def _begin_document(self, line: int, place: int) -> None:
        self._parser = self._make_parser()
        self._fed = -place
        self._lines_skipped = line - 1
        self._has_root, self._is_another = False, True
        self._declared = "utf-8"
        self._end_message(line)
        self.documents.append(line)

    def _end_message(self, line: int) -> None:
        self.over.append(self.message)
        self.message = _make_message(line)
        self._is_in_message = False

    def resume(self, line: int) -> None:
        """Begin anew at a statement on this line, as if all was well before it."""
        self._parser = self._make_parser()
        self._namespaces, self._path, self.statement = [], [], None
        self._fed = 0
        self._is_in_message = True
        if self.message.version is None:  # of a further document, broken before its message
            self.message.version = self._version
        self._lines_skipped = line - 1
        self.feed(self._opening.encode())

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
        if depth == 0:
            self._begin_root()
        if not self._is_in_message:
            self._ancestors[depth:] = [f"{prefix}:{local}" if prefix else local]
        if depth >= DEPTH_MAX:
            raise refuse(f"elements are nested more than {DEPTH_MAX} deep", self.line)
        if not self._is_in_message and MESSAGE.fullmatch(local):
            self._begin_message(namespace, depth)
        is_own = self.message.version is not None and namespace == self._namespace
        self._path.append(local if is_own else "")
        within = depth - self._message_depth
        if is_own and within == 0 and local in STATEMENTS:
            self.statement = Fields(STATEMENTS[local], self.line, self.message.header)
            self.message.statements += 1
            self.statement_name = f"{prefix}:{local}" if prefix else local
        elif self.statement and within == 1 and self._path[-1] == "Bal":
            self.statement.begin_balance()
        elif self.statement and within == 1 and self._path[-1] == "Acct":
            self.statement.accounts += 1
        strangers = (self.statement or self.message.header).strangers
        if is_own and local == "Ntry" and len(strangers) < FIELDS_MAX:
            strangers.append(self.line)
        self._judge_place()
        self._text.clear()
        self._currency = attributes.get("Ccy", "")
        self._is_leaf = True

    def _begin_root(self) -> None:
        """Begin a document; all of a file are in one encoding, as it is decoded as a whole."""
        self._has_root = True
        if self._encoding not in {"", self._declared}:
            text = (
                "documents of different encodings are in one file: send each as its own: not read"
            )
            raise Invalid(InvalidCode.MALFORMED, text, fault=Fault.ENCODING, line=self.line)
        self._encoding = self._declared

    def _begin_message(self, namespace: str, depth: int) -> None:
        if self.message.version is not None:
            self._end_message(self.line)
        found = NAMESPACE.search(namespace)
        self._version = self.message.version = found[1] if found else ""
        self.message.line = self.line
        self._is_in_message = True
        self._namespace, self._message_depth = namespace, depth + 1
        declarations = _declare(dict(self._namespaces))
        self._opening = "".join(f"<{name}{declarations}>" for name in self._ancestors)

    def _end(self, _name: str) -> None:
        within = self._path[self._message_depth :]
        if self._is_leaf and len(within) > 1 and all(within):
            fields = self.statement or (self.message.header if within[0] == "GrpHdr" else None)
            if fields:
                text = "".join(self._text).strip(" \t\n")[:TEXT_MAX]
                fields.add("/".join(within[1:]), Value(text, self._currency, self.line))
        if self.statement and len(within) == 1:
            self.ended.append(self.statement)
            self.statement = None
        self._path.pop()
        if len(self._path) < self._message_depth:
            self._is_in_message = False
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

    def _read_declaration(self, _version: str, encoding: str | None, _standalone: int) -> None:
        name = (encoding or "utf-8").lower()
        with suppress(LookupError):
            name = codecs.lookup(name).name
        self._declared = "utf-8" if name == "ascii" else name

    def _refuse_doctype(self, *_: object) -> None:
        raise refuse("it has a document type, which no statement needs and attacks use", self.line)


def _make_message(line: int) -> Message:
    return Message(line, Fields(Kind.STATEMENT, line))


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
