"""The page: hostile text stays text, lists are bounded and say so, figures are the summary's."""

import json
import re
from html.parser import HTMLParser

import pytest
from tests.reconciled import RULES, run_sides

from hansa.reconcile.batch.job import Job, SideFiles, run_job
from hansa.reconcile.batch.summary import SUMMARY
from hansa.reconcile.entries import Entry
from hansa.reconcile.normalising import OnError
from hansa.reconcile.readers.opening import Reading
from hansa.reconcile.readers.tables.mapping import parse_mapping
from hansa.reconcile.report.page import FINDINGS_MAX, PAGE, URGENT_MAX

MARKUP = "</td></svg></style><script>alert('x')</script><img src=x onerror=alert(1)>\"'&amp;"
HOSTILE = [
    MARKUP,
    "\x00\x07\x1b[2J\x7f\x85\r\n",
    "\u202egnp.exe\u2066\u200f\ufeff",
    "{{ 77_777 * 77_777 }}{% raw %}",
    "\ufffe\U0010ffff",
]
VOID = {"meta", "link", "img", "br"}
OURS = {
    *("html", "head", "meta", "title", "style", "body", "header", "main", "footer", "section"),
    *("div", "span", "p", "h1", "h2", "h3", "dl", "dt", "dd", "bdi", "code"),
    *("table", "caption", "thead", "tbody", "tr", "th", "td"),
    *("svg", "path", "desc", "text", "rect"),
}


class Reader(HTMLParser):
    """Reads a page as a browser would: its elements, and its text by element."""

    def __init__(self, page):
        super().__init__()
        self.tags, self.open, self.attributes, self.words = set(), [], [], []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.attributes += attrs
        if tag not in VOID:
            self.open.append(tag)
        if tag in {"td", "th", "dd"}:
            self.words.append(" ")

    def handle_startendtag(self, tag, attrs):
        self.tags.add(tag)
        self.attributes += attrs

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if "style" not in self.open:
            self.words.append(data)

    @property
    def text(self):
        return " ".join("".join(self.words).split())


def read_page(out):
    return Reader((out / PAGE).read_text(encoding="utf-8"))


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize("field", ["reference", "bank_reference", "counterparty", "text"])
def test_hostile_text_stays_text(tmp_path, text, field):
    entry = Entry("1", "EUR", 5, 1, 1)._replace(**{field: text})
    raw = (run_sides(tmp_path, [entry], []) / PAGE).read_text(encoding="utf-8")
    page = Reader(raw)
    assert page.tags <= OURS
    assert page.open == []
    assert not [name for name, _ in page.attributes if name.startswith("on")]
    assert str(77_777 * 77_777) not in page.text
    assert all(letter.isprintable() or letter == "\n" for letter in raw)


def test_hostile_text_is_there_to_be_read(tmp_path):
    entries = [Entry("1", "EUR", 5, 1, 1, MARKUP, text=f"{text}.") for text in HOSTILE[1:]]
    page = read_page(run_sides(tmp_path, entries, []))
    assert MARKUP in page.text
    assert r"\x00\x07\x1b[2J\x7f\x85\r\n." in page.text
    assert r"\u202egnp.exe\u2066\u200f\ufeff." in page.text
    assert "{{ 77_777 * 77_777 }}{% raw %}." in page.text
    assert r"Nostro <b>& vostro</b> \u202e" in page.text


def test_currencies_and_files_may_be_hostile_too(tmp_path):
    page = read_page(run_sides(tmp_path, [Entry("1", MARKUP, 5, 1, 1)], []))
    assert page.tags <= OURS
    assert page.text.count(MARKUP) > 3


def test_long_text_is_cut_and_its_length_told(tmp_path):
    out = run_sides(tmp_path, [Entry("1", "EUR", 5, 1, 1, "\x1b" * 100_000)], [])
    assert "… (100,000 letters)" in read_page(out).text
    assert (out / PAGE).stat().st_size < 40_000


def test_nothing_is_loaded_and_nothing_can_run(tmp_path):
    raw = (run_sides(tmp_path, [Entry("1", "EUR", 5, 1, 1)], []) / PAGE).read_text()
    page = Reader(raw)
    assert not {"src", "href", "action"} & {name for name, _ in page.attributes}
    assert "url(" not in raw
    assert "@import" not in raw
    policy = next(value for _, value in page.attributes if value and "default-src" in value)
    assert policy.startswith("default-src 'none'; style-src 'sha256-")


def test_the_most_urgent_breaks_are_shown_and_the_rest_named(tmp_path):
    count = URGENT_MAX + 30
    entries = [Entry("1", "EUR", 100 + at, 1 + at, 1 + at, f"r{at}.") for at in range(count)]
    entries.append(Entry("1", "EUR", 9_000_00, count, count, "newest but large"))
    page = read_page(run_sides(tmp_path, entries, []))
    shown = re.findall(r"r\d+\.", page.text)
    assert "These are 50 of 81; breaks.parquet and the workbook have the rest." in page.text
    assert shown == [f"r{at}." for at in range(URGENT_MAX - 1)]
    assert page.text.index("newest but large") < page.text.index("r0.")


def test_a_break_of_many_entries_shows_the_first_of_them(tmp_path):
    same = [Entry("1", "EUR", 5_00, 1, 1, "same", text=str(at)) for at in range(20)]
    other = [Entry("1", "EUR", -5_00, 1, 1, "same", text=f"o{at}") for at in range(3)]
    page = read_page(run_sides(tmp_path, same, other))
    assert "Ambiguous" in page.text
    assert re.search(r"and \d+ entries more of this break", page.text)


def test_charts_are_told_in_words_with_a_table_beside_each(tmp_path):
    out = run_sides(tmp_path, [Entry("1", "EUR", 5, 1, 1)], [])
    page = (out / PAGE).read_text()
    for chart in re.findall(r"<svg class=\"chart\".*?</svg>", page, re.DOTALL):
        title, description = re.search(r'aria-labelledby="(\S+) (\S+)"', chart).groups()
        assert f'<title id="{title}">' in chart
        assert re.search(rf'<desc id="{description}">[^<]+</desc>', chart)
    assert page.count('<div class="drawn">') == page.count('<svg class="chart"') == 4
    assert "Missing in bank: 1" in page


def test_counts_are_those_of_the_summary(tmp_path):
    entries = [Entry("1", "EUR", 5 + at, 1, 1, str(at)) for at in range(1_234)]
    out = run_sides(tmp_path, entries, [])
    summary = json.loads((out / SUMMARY).read_text())
    text = read_page(out).text
    assert summary["breaks"]["breaks"] == 1_234
    assert "Breaks 1,234 " in text
    assert "Missing in bank 1,234 1,234 0" in text


def test_a_result_without_breaks_says_so(tmp_path):
    assert "There are no breaks." in read_page(run_sides(tmp_path, [], [])).text


def test_findings_are_bounded_and_errors_do_not_crowd_out_warnings(tmp_path):
    mapping = parse_mapping(
        b'columns = {value_date = "date", amount = "amount", currency = "ccy"}\n'
        b'constants = {account = "1"}\namounts = {decimal = "."}\n',
        "map",
    )
    bad = "".join(f"2026-03-01,<i>{at}</i>,EUR\n" for at in range(FINDINGS_MAX + 7))
    raw = f"date,amount,ccy\n{bad}2026-03-01,1.00,EUR\n2026-03-01,1.00,JPY\n2026-03-01,1,JPY\n"
    name = "books \udcff<b>.csv"
    (tmp_path / name).write_text(raw)
    (tmp_path / "bank.csv").write_text("date,amount,ccy\n")
    (tmp_path / "rules.toml").write_text(RULES)
    sides = [SideFiles((tmp_path / each,), Reading(mapping)) for each in (name, "bank.csv")]
    job = Job(*sides, tmp_path / "rules.toml", on_error=OnError.QUARANTINE, threads=1)
    run_job(job, tmp_path / "out")
    page = read_page(tmp_path / "out")
    summary = json.loads((tmp_path / "out" / SUMMARY).read_text())
    assert page.tags <= OURS
    assert summary["sides"][0]["errors"] > FINDINGS_MAX
    assert summary["sides"][0]["warnings"] > 0
    assert "<i>0</i>" in page.text
    assert r"books \udcff<b>.csv, line 2" in page.text
    assert f"{summary['sides'][0]['errors'] - FINDINGS_MAX} errors more: " in page.text
    assert "books: warnings" in page.text
    assert "bank: nothing." in page.text


def test_without_a_report_only_figures_are_written(tmp_path):
    out = run_sides(tmp_path, [], [], with_report=False)
    assert (out / SUMMARY).exists()
    assert not list(out.glob("report.*"))
