"""Physical records: the same file with lines, in blocks, behind slashes, and without end."""

import io
import tracemalloc

import pytest
from tests.bank_files import Endless, read_all

from hansa.reconcile.entries import Fault
from hansa.reconcile.readers.bai2 import read_bai2
from hansa.reconcile.readers.bai2.lines import HEAD_SIZE, LINE_SIZE_MAX, read_lines
from hansa.reconcile.readers.bai2.records import RECORD_SIZE_MAX
from hansa.reconcile.readers.heads import read_head

RECORDS = [
    "01,BANK,CUSTOMER,261130,0715,77,60,,2/",
    "02,CUSTOMER,BANK,1,261129,2359,EUR,2/",
    "03,4711,,010,10000,,,015,9990,,/",
    "16,475,10,,B,C,PAID AT A/B, THEN C",
    "88,AND MORE",
    "49,20000,4/",
    "98,20000,1,6/",
    "99,20000,1,8/",
]
MIB = 1 << 20


def pad(records, length, end=""):
    return "".join(record.ljust(length) + end for record in records)


@pytest.mark.parametrize(
    "data",
    [
        "\n".join(RECORDS),
        "\r\n".join(RECORDS) + "\r\n",
        "\r".join(RECORDS),
        "\r\r\n".join(RECORDS),
        "\n\n".join(RECORDS) + "\n\x1a",
        pad(RECORDS, 60),
        pad(RECORDS, 60, "\n"),
        pad(RECORDS, 60).rstrip(),
    ],
)
def test_forms_of_one_file(data):
    """20000 is not 10000 + 9990 + 10, so that each form tells the totals it has."""
    result = read_all(read_bai2, data)
    assert {found.field for found in result.findings} == set()
    (entry,) = result.entries
    assert entry.text == "PAID AT A/B, THEN C AND MORE"
    assert result.summarize() == [("4711", "EUR", 1, -10, 10000, 9990)]


def test_several_records_on_a_line():
    records = [*RECORDS[:3], "16,475,10,,B,C,PAID AT A/ 16, MAIN STREET/", *RECORDS[5:]]
    records[4:] = ["49,20000,3/", "98,20000,1,5/", "99,20000,1,7/"]
    for between in ("/ ", "/    ", "/\t"):
        result = read_all(read_bai2, between.join(each.rstrip("/") for each in records) + "/\n")
        assert result.findings == []
        (entry,) = result.entries
        assert entry.text == "PAID AT A/ 16, MAIN STREET"
        assert entry.line == 1


def test_records_behind_slashes_alone():
    records = [RECORDS[0].replace(",60,", ",,"), *RECORDS[1:]]
    result = read_all(read_bai2, "".join(each.rstrip("/") + "/" for each in records))
    assert result.findings == []
    assert [(entry.text, entry.line) for entry in result.entries] == [
        ("PAID AT A/B, THEN C AND MORE", 4)
    ]


@pytest.mark.parametrize("length", ["61", "00", "01", "99999"])
def test_a_length_that_the_records_do_not_have_is_not_believed(length):
    records = [RECORDS[0].replace(",60,", f",{length},"), *RECORDS[1:]]
    result = read_all(read_bai2, "".join(each.rstrip("/") + "/" for each in records))
    assert result.findings == []
    assert len(result.entries) == 1


def test_lines_longer_than_a_chunk_come_whole_up_to_their_bound():
    for mark in (b"\n", b"\r"):
        long = b"16," + b"x" * (LINE_SIZE_MAX - 3)
        data = mark.join([b"01,", long, long + b"y", b"49,/"])
        stream = io.BytesIO(data)
        lines = list(read_lines(stream, read_head(stream, HEAD_SIZE)))
        assert [line.number for line in lines] == [1, 2, 3, 4]
        assert [line.is_cut for line in lines] == [False, False, True, False]
        assert lines[1].content == lines[2].content == long


BEGINNING = "\n".join(RECORDS[:4]).encode()


@pytest.mark.parametrize(
    ("stream", "fault"),
    [
        (Endless(BEGINNING, b"x", 64 * MIB), Fault.UNSAFE),
        (Endless(RECORDS[0].encode(), b"x", 64 * MIB), Fault.UNSAFE),
        (Endless(BEGINNING + b"\n", b"88," + b"x" * 1_000 + b"\n", 16 * MIB), Fault.UNSAFE),
        (Endless(BEGINNING + b"\n", b" " * 1_000 + b"\n", 16 * MIB), Fault.STRUCTURE),
        (Endless(BEGINNING + b"\n", b"03," + b"1" * 1_000 + b"\n", 16 * MIB), Fault.STRUCTURE),
        (
            Endless(BEGINNING + b"\n", b"16,165,1,,,," + b"x" * 50_000 + b"\n", 64 * MIB),
            Fault.STRUCTURE,
        ),
    ],
    ids=["line", "no lines", "continuations", "blanks", "accounts", "texts"],
)
def test_memory_is_bounded(stream, fault):
    tracemalloc.start()
    try:
        result = [part.findings[:3] for part in read_bai2(stream)]
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert fault in {found.fault for findings in result for found in findings}
    assert peak < 16 * MIB


def test_a_record_with_too_many_continuations_keeps_its_entry():
    lines = [*RECORDS[:4], *["88," + "x" * 1000] * (RECORD_SIZE_MAX // 1000 + 10), *RECORDS[5:]]
    result = read_all(read_bai2, "\n".join(lines))
    assert [found.fault for found in result.findings if found.fault is Fault.UNSAFE] == [
        Fault.UNSAFE
    ]
    (entry,) = result.entries
    assert len(entry.text) < RECORD_SIZE_MAX


def test_a_head_is_read_whole_from_a_stream_that_gives_little():
    class Slow(io.BytesIO):
        def read(self, size=-1):
            return super().read(min(size, 7))

    assert len(read_head(Slow(b"x" * 2 * HEAD_SIZE), HEAD_SIZE)) == HEAD_SIZE
    assert len(read_all(read_bai2, Slow("\n".join(RECORDS).encode())).entries) == 1
