"""Documents of camt made at random: one reading whatever the way, and never anything but findings.

An entry that patterns or splitting read is read alike by expat, a comment in it being all that
keeps it from them; a document is well-formed for us if it is for expat.
"""

import io
import string
from xml.parsers import expat

from hypothesis import example, given, settings
from hypothesis import strategies as st
from tests.camts import make_document, read_all

from hansa.kernel.errors import Invalid
from hansa.reconcile.entries import Severity
from hansa.reconcile.readers.camt import read_camt
from hansa.reconcile.readers.camt.markup import Shapes, name_tags, split
from hansa.reconcile.readers.camt.run import OFTEN

LETTERS = string.ascii_letters + string.digits + " \n\t>'\"-ü€\U0001f3e6]"
REFERENCES = ["&amp;", "&lt;", "&gt;", "&quot;", "&apos;", "&#65;", "&#x20AC;"]
texts = st.lists(st.text(LETTERS, max_size=8) | st.sampled_from(REFERENCES), max_size=3).map(
    "".join
)
amounts = st.sampled_from(["1.00", "2", "3.5", "1.005", "", "-1", "1,0", " 4.00 "])
attributes = st.sampled_from([' Ccy="EUR"', ' Ccy="USD"', "", " Ccy='EUR'", ' Ccy="EUR" a="b"'])


nothing = st.just("")


def element(name, inside, attribute=nothing):
    return st.builds("<{0}{1}>{2}</{0}>".format, st.just(name), attribute, inside)


def some(*elements):
    """Some of these, in their order."""
    return st.tuples(*(st.just("") | each for each in elements)).map("".join)


money = element("Amt", amounts, attributes)
sign = element("CdtDbtInd", st.sampled_from(["CRDT", "DBIT", "", "x"]))
code = some(
    element("Domn", some(element("Cd", texts), element("Fmly", element("Cd", texts)))),
    element("Prtry", element("Cd", texts)),
)
party = element("Nm", texts) | element("Pty", element("Nm", texts)) | st.just("<Nm/>")
account = element("Id", element("IBAN", texts) | element("Othr", element("Id", texts)))
transaction = element(
    "TxDtls",
    some(
        element(
            "Refs", some(*(element(name, texts) for name in ("InstrId", "EndToEndId", "TxId")))
        ),
        money,
        sign,
        element("AmtDtls", element("InstdAmt", money)),
        element("BkTxCd", code),
        element("Chrgs", st.lists(element("Rcrd", some(money, sign)), max_size=2).map("".join)),
        element(
            "RltdPties",
            some(
                element("Dbtr", party),
                element("DbtrAcct", account),
                element("Cdtr", party),
                element("CdtrAcct", account),
            ),
        ),
        element("RmtInf", st.lists(element("Ustrd", texts), max_size=3).map("".join)),
    ),
)
dates = element("Dt", st.sampled_from(["2026-11-30", "2026-02-30", "", "1970-01-01"]))
entries = element(
    "Ntry",
    some(
        money,
        sign,
        element("RvslInd", st.sampled_from(["true", "false", ""])),
        element("Sts", st.sampled_from(["BOOK", "<Cd>PDNG</Cd>", "?"])),
        element("BookgDt", dates),
        element("ValDt", dates),
        element("AcctSvcrRef", texts),
        element("BkTxCd", code),
        element("NtryDtls", st.lists(transaction, max_size=3).map("".join)),
        element("AddtlNtryInf", texts),
    ),
)
documents = st.lists(entries, max_size=4).map("\n".join)


def strip(findings):
    """Leave out what was read, which has a comment in it if one was put there."""
    return [each._replace(raw="") for each in findings]


@given(documents)
def test_both_ways_of_reading_an_entry_agree(body):
    plain = read_all(make_document(body))
    by_expat = read_all(make_document(body.replace("</Ntry>", "<!----></Ntry>")))
    assert plain[:2] == by_expat[:2]
    assert strip(plain[2]) == strip(by_expat[2])


@given(st.lists(entries, min_size=1, max_size=4))
def test_shapes_that_are_met_often_are_read_as_before(each):
    """What is met often comes into a pattern, which the next run of entries is read by."""
    body = "\n".join(each)
    plain = make_document("\n".join([body] * OFTEN))
    first = read_all(plain)
    assert read_all(plain) == first
    by_expat = read_all(plain.replace("</Ntry>", "<!----></Ntry>"))
    assert by_expat[:2] == first[:2]
    assert strip(by_expat[2]) == strip(first[2])


def test_texts_by_a_pattern_are_those_by_splitting():
    pieces = ["<A><B>1</B>\n<C>2</C></A>", " <A><B>3</B>\n<D>4</D></A>", "<A><B><C>5</C></B></A>"]
    shapes = []
    for piece in pieces:
        tags = split(piece)[0]
        shapes.append((tags, name_tags(tags, "")))
    patterns = Shapes(shapes)
    texts = []
    for piece in pieces:
        found = patterns.pattern.fullmatch(piece)
        ending = patterns.endings[found.lastindex]
        texts.append(found.group(*ending.groups))
    assert texts == [("", "1", "2", ""), (" ", "3", "4", ""), ("", "5", "")]
    assert patterns.pattern.fullmatch(pieces[0].replace("2", "<")) is None
    assert patterns.pattern.fullmatch(pieces[0].replace("\n", "&")) is None
    assert patterns.pattern.fullmatch(pieces[0].replace("2", "\x07")) is None


MARKUP = [
    "<",
    ">",
    "&",
    "</Ntry>",
    "<Ntry>",
    "<Ntry",
    "<!--",
    "-->",
    "<![CDATA[",
    "]]>",
    "<?",
    "?>",
]
MARKUP += ["</Stmt>", "<Stmt>", "</Document>", "\x00", "\xff", "￾", "/", '"', "="]
changes = st.lists(
    st.tuples(st.floats(0, 1), st.integers(0, 9), st.sampled_from(MARKUP) | st.text(max_size=2)),
    min_size=1,
    max_size=3,
)


def change(document: str, all_changes) -> bytes:
    """Put something else somewhere, a few times."""
    for place, length, text in all_changes:
        begin = int(place * len(document))
        document = document[:begin] + text + document[begin + length :]
    return document.encode("utf-8", "surrogatepass")


def is_well_formed(data: bytes) -> bool:
    parser = expat.ParserCreate("utf-8", " ")
    try:
        parser.Parse(data, True)
    except expat.ExpatError:
        return False
    return True


@settings(max_examples=300)
@given(documents, changes)
@example("<Ntry></Ntry>", [(0.9, 0, "<!--")])
@example("<Ntry></Ntry><Ntry></Ntry>", [(0.65, 0, "<Ntry>")])
def test_whatever_is_changed_is_told_and_nothing_raised(body, all_changes):
    data = change(make_document(body), all_changes)
    try:
        _, _, findings = read_all(data)
    except Invalid:
        return
    told = [each for each in findings if each.severity is Severity.ERROR]
    encoding = [each for each in findings if each.fault == "encoding"]
    assert is_well_formed(data) or told or encoding


@given(documents, st.integers(1, 7))
def test_blocks_of_any_size_make_no_difference(body, size):
    class Slow(io.BytesIO):
        def read(self, wanted=-1):
            return super().read(min(wanted, size * 97))

    data = make_document(body).encode()
    slow = [
        (part.entries.to_pylist(), part.statements, part.findings)
        for part in read_camt(Slow(data), processes=0)
    ]
    assert slow == [
        (part.entries.to_pylist(), part.statements, part.findings)
        for part in read_camt(io.BytesIO(data), processes=0)
    ]
