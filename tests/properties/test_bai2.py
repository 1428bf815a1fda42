"""BAI2: what is written is read, in any physical form; what is damaged ends in findings."""

from __future__ import annotations

from contextlib import suppress

from hypothesis import given
from hypothesis import strategies as st
from tests.bank_files import damage, make_cuts, read_all

from hansa.kernel.errors import Invalid
from hansa.reconcile.entries import Fault
from hansa.reconcile.readers.bai2 import read_bai2

LETTERS = st.characters(codec="ascii", categories=["L", "N", "P", "S"])
words = st.text(LETTERS, min_size=1, max_size=8).filter(lambda word: not word.endswith("/"))
texts = st.lists(words, max_size=4).map(" ".join)
references = st.from_regex("[A-Z][A-Z0-9]{0,6}", fullmatch=True) | st.just("")
funds = st.sampled_from(
    ["", "0", "1", "2", "Z", "V,261201,", "V,261201,1200", "S,1,2,3", "D,1,0,5"]
)
codes = st.sampled_from(["165", "399", "475", "699", "721", "760", "920", "960"])
details = st.tuples(codes, st.integers(0, 10**12), funds, references, references, texts)
accounts = st.tuples(st.integers(-(10**12), 10**12), st.lists(details, max_size=4))
CREDITS = {"165", "399", "721", "920"}


def write(groups) -> list[str]:
    """Write a file that is right in all its totals."""
    lines = ["01,BANK,CUSTOMER,261130,0715,77,,,2/"]
    file_total = 0
    for group in groups:
        begin, group_total = len(lines), 0
        lines.append("02,CUSTOMER,BANK,1,261129,,EUR,2/")
        for balance, transactions in group:
            first, total = len(lines), balance
            lines.append(f"03,4711,,010,{balance},,/")
            for code, amount, kind, bank, customer, text in transactions:
                head = f"16,{code},{amount},{kind},{bank},{customer},"
                lines += [head + text] if len(text) % 2 else [head + "/", f"88,{text}"]
                total += amount
            lines.append(f"49,{total},{len(lines) + 1 - first}/")
            group_total += total
        lines.append(f"98,{group_total},{len(group)},{len(lines) + 1 - begin}/")
        file_total += group_total
    lines.append(f"99,{file_total},{len(groups)},{len(lines) + 1}/")
    return lines


@given(
    st.lists(st.lists(accounts, max_size=3), max_size=3), st.sampled_from(["\n", "\r\n", "\r", 300])
)
def test_what_is_written_is_read(groups, form):
    lines = write(groups)
    if isinstance(form, int):
        lines[0] = lines[0].replace("77,,", f"77,{form},")
        data = "".join(line.ljust(form) for line in lines)
    else:
        data = form.join(lines)
    result = read_all(read_bai2, data)
    assert result.findings == []
    written = [each for group in groups for _, transactions in group for each in transactions]
    assert [entry.amount_minor for entry in result.entries] == [
        amount if code in CREDITS else -amount for code, amount, *_ in written
    ]
    assert [(entry.bank_reference, entry.reference, entry.text) for entry in result.entries] == [
        each[3:] for each in written
    ]
    assert [each.opening_minor for each in result.statements] == [
        balance for group in groups for balance, _ in group
    ]


GOOD = b"""\
01,BANK,CUSTOMER,261130,0715,77,80,,2/
02,CUSTOMER,BANK,1,261129,2359,EUR,2/
03,4711,,010,10000,,,015,12500,2,S,1,2,3/
88,100,3000,1,,400,500,2,V,261129,/
16,165,3000,V,261201,,BR1,CR1,Rent, November
88,EREF: E2E
16,475,500,D,2,0,400,1,100,BR2,000123,/ 16,475,0,,A,B,C/
49,29500,7/
03,4712,JPY,010,,,/
49,0,2/
98,29500,2,11/
99,29500,1,13/"""
WORDS = [b"/", b",", b"\n", b"\r", b"88,", b"16,475,", b"/ 49,", b"03,", b"99,", b"D,99,", b"-"]
WORDS += [b"9" * 25, b"\x00", b"\xff", b".", b"16,"]


@given(make_cuts(WORDS), st.booleans())
def test_damage_ends_in_findings_or_in_a_refusal(cuts, has_lines):
    data = damage(GOOD if has_lines else GOOD.replace(b"\n", b"/"), cuts)
    try:
        result = read_all(read_bai2, data)
    except Invalid:
        return
    assert len(result.findings) < 10 * (len(data) + 1)


@given(st.integers(0, len(GOOD) - 1), st.integers(1, 250), st.binary(max_size=2))
def test_no_entry_is_lost_in_silence(place, size, instead):
    """Whatever piece of a good file is missing: its totals tell, or something else does."""
    assert len(read_all(read_bai2, GOOD).entries) == 3
    with suppress(Invalid):
        result = read_all(read_bai2, GOOD[:place] + instead + GOOD[place + size :])
        assert result.findings or len(result.entries) == 3


@given(st.integers(0, len(GOOD)))
def test_a_file_cut_off_is_told(size):
    """Unless what is cut off is no more than what the last trailer says."""
    data = GOOD[:size]
    try:
        result = read_all(read_bai2, data)
    except Invalid:
        assert size < GOOD.index(b"0715")
        return
    is_told = any(found.fault in {Fault.STRUCTURE, Fault.COUNT} for found in result.findings)
    assert is_told or size >= GOOD.index(b"99,29500") + 3
