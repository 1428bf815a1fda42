"""Customers and clearings are read whole or refused with every fault, and no name in it."""

from pathlib import Path

import pytest
from tests.listed import SDN, write_wallet
from tests.world import key

from hansa.kernel.errors import Invalid
from hansa.risk.lists.listings import FOREVER_MS
from hansa.risk.screening.customers import Customer, parse_clearings, parse_customers
from hansa.risk.screening.entries import Days
from hansa.risk.screening.published import find_lists, hash_lists, read_lists

FILE = Path("risk/customers.csv")
ANN = write_wallet("ann")


def test_customers_are_read_as_spreadsheets_write_them():
    text = f"country,wallet,name\r\nCuba; Spain,{ANN},Ann  Lopez\r\n\r\n,{ANN},Bob Lopez\r\n"
    ann = key("ann").address
    assert parse_customers(text.encode("utf-8-sig"), FILE) == [
        Customer(ann, "Ann Lopez", None, ("Cuba", "Spain")),
        Customer(ann, "Bob Lopez", None, ()),
    ]
    text = f"wallet,name,born\n{ANN},Ann,1975-06\n"
    assert parse_customers(text.encode(), FILE)[0].born == Days(19750601, 19750630)


def test_all_faults_are_told_with_their_lines_and_repeat_nothing():
    rows = ["Ann Secret,Ann Secret,,", f"{ANN},?!,,", f"{ANN},Ann Secret,June Secret,"]
    rows += [f"{ANN},Ann Secret,,CU", f"{ANN},,,", f"{ANN},Ann,,,Secret", f"{ANN},{'A ' * 65},,"]
    rows += [f"{ANN},{'A' * 513},,"]
    with pytest.raises(Invalid) as caught:
        parse_customers("\n".join(["wallet,name,born,country", *rows]).encode(), FILE)
    told = caught.value.message
    assert "Secret" not in told
    for line, part in enumerate(
        (
            "wallet is no address",
            "name has no letter",
            "born is no date",
            "country is a code",
            "name missing",
            "more fields than",
            "name has 65 parts",
            "name has 513 characters",
        ),
        2,
    ):
        assert f"line {line}: {part}" in told
    with pytest.raises(Invalid, match=r"customers\.csv: line 2: unexpected end of data"):
        parse_customers(f'wallet,name\n{ANN},"Ann\n'.encode(), FILE)
    for text in ("", "wallet\n", "wallet,name,name\n", "wallet,name,phone\n"):
        with pytest.raises(Invalid, match="first line must name the columns wallet, name, and may"):
            parse_customers(text.encode(), FILE)


def test_clearings_count_by_wallet_entry_and_name_until_their_end():
    text = f"wallet,entry,name,why,until,by\n{ANN},OFAC-SDN  306,Ann,taller,2027-01-31,Ms Lei\n"
    text += f"{ANN},UN QDi.1,Ann,,,\n{ANN},UN QDi.1,Ann,older,June,\n"
    with pytest.raises(
        Invalid, match=r"cleared\.csv: line 3: why missing; line 4: until is neither"
    ):
        parse_clearings(text.encode(), Path("cleared.csv"))
    text = text.replace(",Ann,,", ",Ann,wiser,").replace("June", "")
    cleared = parse_clearings(text.encode(), Path("cleared.csv"))
    first = cleared[key("ann").address, "OFAC-SDN 306", "Ann"]
    assert (first.until_ms, first.by) == (1_801_440_000_000, "Ms Lei")
    last = cleared[key("ann").address, "UN QDi.1", "Ann"]
    assert (last.until_ms, last.by, last.why) == (FOREVER_MS, "", "older")


def test_a_folder_of_lists_is_read_whole_or_refused(tmp_path):
    folder = tmp_path / "sanctions"
    with pytest.raises(Invalid, match=r"no sanctions list is in it: put sdn\.csv"):
        find_lists(folder)
    folder.mkdir()
    for name, more in (
        ("alt.csv", "it goes with sdn.csv, which is not there"),
        ("SDN.CSV.txt", "it is not read: unpack it"),
        ("eu.csv", "no list is published by that name: add.csv, alt.csv"),
    ):
        (folder / name).write_text("1,2")
        with pytest.raises(Invalid, match=more):
            find_lists(folder)
        (folder / name).unlink()
    (folder / "Cons_Prim.CSV").write_text(SDN)
    (folder / "sdn_comments.csv").write_text("1,passed")
    (folder / "un.xml").write_text("<CONSOLIDATED_LIST></CONSOLIDATED_LIST>")
    paths = find_lists(folder)
    assert [path.name for path in paths] == ["Cons_Prim.CSV", "un.xml"]
    with pytest.raises(Invalid, match=r"un\.xml:1: no entry in it"):
        read_lists(paths)
    found = read_lists(paths[:1])
    assert found.listed.entries[0].source == "OFAC-CONS"
    assert "cons_alt.csv is not beside it" in str(found.findings[-1])
    before = hash_lists(paths)
    (folder / "un.xml").write_text("other")
    assert hash_lists(paths) != before
    (folder / "un2.xml").write_text("")
    with pytest.raises(Invalid, match=r"un2\.xml: un\.xml is such a list, too"):
        find_lists(folder)
