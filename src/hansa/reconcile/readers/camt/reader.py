"""Reads camt documents: a frame through expat, entries cut out and read some hundred at a time."""

from __future__ import annotations

import os
import re
from collections import deque
from collections.abc import Iterator
from typing import BinaryIO

from hansa.kernel.errors import Invalid, InvalidCode
from hansa.reconcile.entries import RAW_MAX, Fault, Finding, Part, Severity
from hansa.reconcile.readers.camt.cutting import Cutter
from hansa.reconcile.readers.camt.encoding import (
    BLOCK_BYTES,
    UnknownEncodingError,
    find_encoding,
    read_blocks,
)
from hansa.reconcile.readers.camt.entry import Scope, Tally
from hansa.reconcile.readers.camt.frame import (
    MESSAGE,
    NAMESPACE,
    Fields,
    Frame,
    FrameError,
    Message,
)
from hansa.reconcile.readers.camt.markup import mask
from hansa.reconcile.readers.camt.run import Reading, Run
from hansa.reconcile.readers.camt.statement import (
    StatementReader,
    find_account,
    find_currency,
    tell_contradictions,
)
from hansa.reconcile.readers.camt.workers import Workers
from hansa.reconcile.readers.heads import read_head
from hansa.reconcile.readers.parts import FINDINGS_MAX, build_batch

HEAD_BYTES = 4_096
PROCESSES = 2
TASK_BYTES = BLOCK_BYTES
ALONE_BYTES = 8 << 20
"""Read before other processes are started, which takes a third of a second."""
VERSION_MAX = 14
"""The newest that is known; later ones are read as if they were that."""
STEPS_MAX = 4_096
"""Statements of a task."""
_Step = Finding | Fields | None
"""Something to tell; a statement that ends; a run that was read."""
_ROOT = re.compile(r"<(?:[\w.-]+:)?(BkToCstmr\w+)[\s/>]")


def is_camt(head: bytes) -> bool:
    """Whether a file that begins with these bytes, a few thousand, is camt.052, 053 or 054."""
    try:
        encoding, start = find_encoding(head)
    except UnknownEncodingError:
        encoding, start = "latin-1", 0
    text = mask(head[start : start + HEAD_BYTES * 2].decode(encoding, "ignore"))
    root = _ROOT.search(text)
    is_message = root is not None and MESSAGE.fullmatch(root[1]) is not None
    return text.lstrip("\x01 \t\r\n").startswith("<") and (
        is_message or NAMESPACE.search(text) is not None
    )


def read_camt(stream: BinaryIO, *, processes: int | None = None) -> Iterator[Part]:
    """Read a document of camt.052, camt.053 or camt.054, in any version and encoding.

    Args:
      stream: the document, from where it stands.
      processes: how many others work on a large file; None for two, or one where there is but one
        core; 0 for none. The parts are the same.

    Yields:
      Parts of at most some thousand entries. Memory is bounded by the size of the largest entry,
      of which `cutting.ENTRY_BYTES_MAX` is the most.

    Raises:
      Invalid: it is not camt at all, or does what no statement needs and attacks do: document
        types, elements nested beyond `markup.DEPTH_MAX`, entries beyond 16 MiB.
    """
    is_large = _measure_rest(stream) > ALONE_BYTES
    head = read_head(stream, HEAD_BYTES)
    if not is_camt(head):
        raise Invalid(
            InvalidCode.MALFORMED, "no camt.052, camt.053 or camt.054: no such message begins here"
        )
    if processes is None:
        processes = min(PROCESSES, os.cpu_count() or 1)
    with Workers(processes) as workers:
        yield from _Reader(read_blocks(head, stream), workers, is_large=is_large).read()


def _measure_rest(stream: BinaryIO) -> int:
    """Measure how much there is to read, if that can be known before."""
    if not stream.seekable():
        return 0
    place = stream.tell()
    end = stream.seek(0, os.SEEK_END)
    stream.seek(place)
    return end - place


class _Reader:
    """Reads one document: what was cut is gathered to tasks, and told in its order."""

    def __init__(self, blocks: Iterator[bytes], workers: Workers, *, is_large: bool) -> None:
        self._workers = workers
        self._frame = Frame()
        self._cutter = Cutter(blocks, self._frame)
        self._runs: list[Run] = []
        self._steps: list[_Step] = []
        """Of the task that is being gathered."""
        self._given: deque[list[_Step]] = deque()
        """Of those that were given to the workers."""
        self._bytes = 0
        self._bytes_before = ALONE_BYTES if is_large else 0
        self._statements = 0
        self._tally = Tally()

    def read(self) -> Iterator[Part]:
        """Read it."""
        try:
            for piece, prefix, line in self._cutter.cut():
                if prefix is None or not self._add_run(piece, prefix, line):
                    self._feed_or_skip(piece)
                if self._bytes >= TASK_BYTES or len(self._steps) >= STEPS_MAX:
                    yield from self._hand_over()
            self._feed(b"", is_last=True)
        except UnknownEncodingError as error:
            self._report(Fault.ENCODING, self._cutter.line, str(error))
        except FrameError as error:
            text = (
                f"the document is cut off or not well-formed here ({error.text}): have it sent anew"
            )
            self._report(Fault.STRUCTURE, error.line, text, self._show(error))
        self._end_statement()
        self._judge_whole()
        yield from self._hand_over()
        while self._given:
            yield from self._tell(self._given.popleft(), self._workers.take())

    def _add_run(self, data: bytes, prefix: str, line: int) -> bool:
        """Add a run of entries; False if they stand where none can, so that the frame tells."""
        names = self._frame.find_names(prefix)
        statement = self._frame.statement
        if names is None or statement is None or not self._frame.is_at_entries:
            return False
        account, currency = find_account(statement), find_currency(statement)
        scope = Scope(statement.kind, account, currency, self._statements, names)
        self._runs.append(Run(scope, data, line, self._cutter.has_specials))
        self._steps.append(None)
        self._frame.skip(self._cutter.line - line)
        self._bytes += len(data)
        return True

    def _feed(self, piece: bytes, *, is_last: bool = False) -> None:
        self._frame.feed(piece, is_last=is_last)
        self._bytes += len(piece)
        self._take_ended()

    def _take_ended(self) -> None:
        frame = self._frame
        self._steps += frame.ended
        self._statements += len(frame.ended)
        frame.ended.clear()
        for line in frame.documents:
            text = "another document follows in the same file: it is read, too"
            self._steps.append(Finding(Severity.WARNING, Fault.STRUCTURE, line, "Document", text))
        frame.documents.clear()
        for message in frame.over:
            self._judge_message(message)
        frame.over.clear()

    def _end_statement(self) -> None:
        """End a statement that the document does not."""
        if self._frame.statement:
            self._steps.append(self._frame.statement)
            self._statements += 1

    def _judge_version(self, message: Message) -> None:
        version = message.version
        if version is None or (version and int(version) <= VERSION_MAX):
            return
        told = f"version {version} is newer than any known" if version else "no version is named"
        self._steps.append(
            Finding(
                Severity.WARNING,
                Fault.IGNORED,
                message.line,
                "Document",
                f"{told}: read as version {VERSION_MAX}, untested",
            )
        )

    def _report(self, fault: Fault, line: int, text: str, raw: str = "", name: str = "") -> None:
        self._steps.append(Finding(Severity.ERROR, fault, line, name, text, raw[:RAW_MAX]))

    def _feed_or_skip(self, piece: bytes) -> None:
        """Feed the frame; what is broken leaves out all up to the next statement."""
        try:
            self._feed(piece)
        except FrameError as error:
            if not self._frame.has_begun:
                raise
            self._take_ended()
            self._end_statement()
            # not from the place itself, where a start of a statement may be what is broken
            unread = min(max(len(piece) - error.place - 1, 0), max(len(piece) - 1, 0))
            rest, is_more = self._cutter.skip_to_statement(unread)
            then = "the next statement is read" if is_more else "no statement follows"
            text = (
                f"the document is not well-formed here ({error.text}): {rest} entries behind it "
                f"are left out, {then}; have it sent anew"
            )
            self._report(Fault.STRUCTURE, error.line, text, self._show(error))
            self._frame.resume(self._cutter.line)

    def _show(self, error: FrameError) -> str:
        """Show what is broken, with a little of what comes before."""
        piece = self._frame.last_piece
        return piece[max(error.place - RAW_MAX // 2, 0) :][:RAW_MAX].decode("utf-8", "replace")

    def _judge_whole(self) -> None:
        """Tell what is wrong with the last message, and with the file as a whole."""
        self._take_ended()
        self._judge_message(self._frame.message)
        if self._frame.has_wrong_bytes:
            text = "bytes of headers are not in the encoding that the file says: U+FFFD instead"
            self._steps.append(Finding(Severity.WARNING, Fault.ENCODING, 1, "", text))

    def _judge_message(self, message: Message) -> None:
        """Tell what is wrong with a message as a whole."""
        self._judge_version(message)
        if message.version is None:
            text = "it has no message with statements, reports or notifications"
            self._report(Fault.MISSING, message.line, text, name="Document")
        elif not message.statements:
            text = "there is no statement, report or notification in it, and must be one"
            self._report(Fault.MISSING, message.line, text, name="Stmt")
        for line in message.header.strangers:
            text = "an entry outside of any statement was not read"
            self._report(Fault.STRUCTURE, line, text, name="Ntry")
        self._steps += tell_contradictions(message.header)

    def _hand_over(self) -> Iterator[Part]:
        """Give the task to a worker, and tell of an earlier one if none was free."""
        told = None
        if self._workers.is_full:
            told = self._given.popleft(), self._workers.take()
        self._workers.give(self._runs, is_alone=self._bytes_before < ALONE_BYTES)
        self._given.append(self._steps)
        self._bytes_before += self._bytes
        self._runs, self._steps, self._bytes = [], [], 0
        if told:
            yield from self._tell(*told)

    def _tell(self, steps: list[_Step], reading: Reading) -> Iterator[Part]:
        """Tell of a task that was read."""
        findings = list(reading.findings)
        statements = []
        tallies = iter(reading.tallies)
        for step in steps:
            if isinstance(step, Finding):
                findings.append(step)
            elif isinstance(step, Fields):
                reader = StatementReader(step, self._tally)
                statements.append(reader.read())
                findings += reader.findings
                self._tally = Tally()
            else:
                self._tally.add(next(tallies))
        batch = reading.batch
        if batch.num_rows or statements or findings:
            yield Part(batch, tuple(statements), tuple(findings[:FINDINGS_MAX]))
        for first in range(FINDINGS_MAX, len(findings), FINDINGS_MAX):
            yield Part(build_batch([]), (), tuple(findings[first : first + FINDINGS_MAX]))
