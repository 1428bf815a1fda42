"""Parts: what goes in comes out, counted and bounded."""

from hypothesis import given
from hypothesis import strategies as st

from hansa.reconcile.entries import (
    RAW_MAX,
    SCHEMA,
    Entry,
    Fault,
    Kind,
    Severity,
    Statement,
    Status,
)
from hansa.reconcile.readers.parts import (
    ENTRIES_MAX,
    FINDINGS_MAX,
    PartBuilder,
    build_batch,
    read_entries,
)

STATEMENT = Statement(Kind.STATEMENT, "DE02", "EUR")
amounts = st.integers(-(2**63) + 1, 2**63 - 1)
dates = st.none() | st.integers(-(2**20), 2**20)
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
entries = st.builds(
    Entry,
    texts,
    texts,
    amounts,
    dates,
    dates,
    text=texts,
    is_reversal=st.booleans(),
    status=st.sampled_from(Status),
    original_minor=st.none() | amounts,
    charges_minor=st.none() | amounts,
    statement=st.integers(0, 2**31 - 1),
    line=st.integers(0, 2**40),
    booked_at_s=dates,
    booked_offset_minutes=dates,
)


def test_the_schema_has_the_fields_of_an_entry():
    assert tuple(SCHEMA.names) == Entry._fields


@given(st.lists(entries, max_size=5))
def test_entries_come_back_from_a_batch(given_entries):
    assert read_entries(build_batch(given_entries)) == given_entries


def test_statements_get_their_count_and_their_booked_sum():
    builder = PartBuilder()
    builder.add_entry(Entry("DE02", "EUR", 5, 0, 0))
    builder.add_entry(Entry("DE02", "EUR", 7, 0, 0, status=Status.PENDING))
    builder.end_statement(STATEMENT)
    builder.add_entry(Entry("DE02", "EUR", -2, 0, 0))
    builder.end_statement(STATEMENT)
    (part,) = builder.finish()
    assert [(each.entries, each.booked_minor) for each in part.statements] == [(2, 5), (1, -2)]
    assert part.entries.column("statement").to_pylist() == [0, 0, 1]
    assert not list(builder.finish())


def test_parts_are_bounded():
    builder = PartBuilder()
    for _ in range(ENTRIES_MAX):
        assert not list(builder.take())
        builder.add_entry(Entry("DE02", "EUR", 5, 0, 0))
    (part,) = builder.take()
    assert part.entries.num_rows == ENTRIES_MAX
    for line in range(FINDINGS_MAX):
        builder.report(Fault.FIELD, line, "Amt", "wrong", "x" * 2 * RAW_MAX)
    (part,) = builder.take()
    assert len(part.findings) == FINDINGS_MAX
    assert part.findings[0].severity is Severity.ERROR
    assert len(part.findings[0].raw) == RAW_MAX
