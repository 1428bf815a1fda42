"""Lines of any length, end and encoding, in bounded memory."""

import io
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hansa.reconcile.entries import Fault, Severity
from hansa.reconcile.readers.mt.lines import CHUNK_BYTES, LINE_BYTES_MAX, read_lines
from hansa.reconcile.readers.parts import PartBuilder


class Sipping(io.BytesIO):
    """A file that gives a few bytes at a time, as a socket may."""

    def __init__(self, data, sip):
        super().__init__(data)
        self._sip = sip

    def read(self, size=-1):
        return super().read(self._sip)


class Repeating(io.RawIOBase):
    """A file of the same bytes again and again, which is nowhere in memory."""

    def __init__(self, data, times):
        self._data, self._left = data, times

    def read(self, size=-1):
        self._left -= 1
        return self._data if self._left >= 0 else b""


def run(data, encoding=None):
    builder = PartBuilder()
    stream = data if isinstance(data, io.IOBase) else io.BytesIO(data)
    lines = list(read_lines(stream, builder, encoding))
    return lines, [found for part in builder.finish() for found in part.findings]


@given(
    st.lists(st.text("ab ", max_size=6), min_size=1),
    st.sampled_from(["\n", "\r\n", "\r"]),
    st.integers(1, 5),
)
def test_lines_end_in_any_way_and_come_in_any_pieces(texts, end, sip):
    lines, findings = run(Sipping((end.join(texts) + end).encode(), sip))
    assert lines == list(enumerate(texts, 1))
    assert findings == []


@pytest.mark.parametrize("end", [b"", b"\nmore\n"])
@pytest.mark.parametrize("length", [LINE_BYTES_MAX, LINE_BYTES_MAX + 1, 3 * CHUNK_BYTES])
def test_a_line_that_is_too_long_is_cut_and_told(length, end):
    lines, findings = run(b"ok\n" + b"x" * length + end)
    assert lines[1] == (2, "x" * LINE_BYTES_MAX)
    assert lines[2:] == ([(3, "more")] if end else [])
    told = [(found.severity, found.fault, found.line) for found in findings]
    is_long = length > LINE_BYTES_MAX
    assert told == ([(Severity.ERROR, Fault.STRUCTURE, 2)] if is_long else [])


def test_an_endless_line_takes_no_memory():
    stream = Repeating(b"x" * CHUNK_BYTES, 1_000)
    tracemalloc.start()
    lines, findings = run(stream)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert (len(lines), len(findings)) == (1, 1)
    assert peak < 2_000_000


@pytest.mark.parametrize(
    ("data", "encoding", "text", "is_told"),
    [
        ("Überweisung".encode(), None, "Überweisung", False),
        (b"\xef\xbb\xbfabc", None, "abc", False),
        (b"\xdcber \x80", None, "Über €", True),
        (b"\xdcber \x81", None, "Über \x81", True),
        (b"\xa0t", "cp852", "át", False),
        (b"\xff", "utf-8", "\ufffd", True),
        (b"\x01abc\x03", None, "abc", False),
        (b"a\x00b\x07c", None, "abc", True),
        (b"a\tb", None, "a\tb", False),
    ],
)
def test_encodings_and_control_signs(data, encoding, text, is_told):
    lines, findings = run(data + b"\n" + data, encoding)
    assert lines[0] == (1, text)
    assert [(found.severity, found.fault) for found in findings] == (
        [(Severity.WARNING, Fault.ENCODING)] if is_told else []
    )
