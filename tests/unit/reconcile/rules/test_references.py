"""References: the same as text and as an expression over a column."""

import ibis
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hansa.reconcile.batch.engines import opened_duckdb
from hansa.reconcile.rules.book import References
from hansa.reconcile.rules.references import ReferenceForm

letters = st.sampled_from("aBzZ019 +/-.]^é吳ßı\t\n")
texts = st.text(letters, max_size=12) | st.sampled_from(["NONREF", "nonref", "EREF+7", "0", "00"])
forms = st.builds(
    References,
    ignore_case=st.booleans(),
    letters_and_digits=st.booleans(),
    no_leading_zeros=st.booleans(),
    prefixes=st.sampled_from([(), ("EREF+",), ("a", "aB"), ("(", "[.*")]),
    empty=st.sampled_from([(), ("NONREF",), ("NotProvided", "NONREF")]),
    separators=st.sampled_from(["/", "-. ", "", "]^é\t"]),
)


@pytest.fixture(scope="module")
def engine(tmp_path_factory):
    with opened_duckdb(tmp_path_factory.mktemp("duckdb"), threads=1) as opened:
        yield opened


@settings(max_examples=settings.default.max_examples // 2)
@given(forms, st.lists(texts, min_size=1, max_size=60))
def test_a_column_is_written_like_its_texts(engine, references, given_texts):
    form = ReferenceForm(references)
    table = ibis.memtable(pa.table({"row": range(len(given_texts)), "text": given_texts}))
    found = engine.fetch(table.select("row", text=form.express(table.text)).order_by("row"))
    assert found.column("text").to_pylist() == [form.write(each) for each in given_texts]
    roots = form.write_roots(pa.chunked_array([given_texts]))
    assert roots.to_pylist() == [form.write_root(each) for each in given_texts]


@pytest.mark.parametrize(
    ("asked", "text", "written"),
    [
        (References(), " RF 18 ", " RF 18 "),
        (References(letters_and_digits=True), "RF-18/5 é", "RF185é"),
        (References(no_leading_zeros=True), "000120", "120"),
        (References(no_leading_zeros=True), "000", ""),
        (References(ignore_case=True), "inv é1", "INV é1"),
        (References(prefixes=("A", "AB")), "ABC", "BC"),
        (References(prefixes=("eref+",), ignore_case=True), "ErEf+x", "X"),
        (References(empty=("not provided",), ignore_case=True), "Not Provided", ""),
    ],
)
def test_references_are_made_comparable(asked, text, written):
    assert ReferenceForm(asked).write(text) == written


@pytest.mark.parametrize(
    ("separators", "text", "root"),
    [
        ("/", "A/1/2", "A/1"),
        ("/", "A", "A"),
        ("/", "/1", "/1"),
        ("-.", "A-1.2", "A-1"),
        ("", "A/1", "A/1"),
    ],
)
def test_parts_share_what_stands_before_the_last_separator(separators, text, root):
    assert ReferenceForm(References(separators=separators)).write_root(text) == root
