"""Lists are read whole, what cannot be read is told with its place, and bombs are refused."""

import pytest

from hansa.kernel.errors import Invalid
from hansa.risk.screening.dates import read_born, read_iso
from hansa.risk.screening.entries import Alias, Days, Kind, build_list
from hansa.risk.screening.ofac import read_ofac
from hansa.risk.screening.un import DEPTH_MAX, ENTRY_SIZE_MAX, read_un

NOTHING = ",".join(["-0- "] * 7)
PERSON = f'7,"SMITH, John","individual","SDGT] [CUBA",{NOTHING},'
BOMB = """<?xml version="1.0"?><!DOCTYPE l [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;">]>
<CONSOLIDATED_LIST><INDIVIDUALS/></CONSOLIDATED_LIST>"""
INDIVIDUAL = """<INDIVIDUAL><REFERENCE_NUMBER>QDi.1</REFERENCE_NUMBER><FIRST_NAME>Ann</FIRST_NAME>
<SECOND_NAME> Other </SECOND_NAME><UN_LIST_TYPE>Al-Qaida</UN_LIST_TYPE>
<NATIONALITY><VALUE>Chad</VALUE></NATIONALITY>
<INDIVIDUAL_ALIAS><QUALITY>Low</QUALITY><ALIAS_NAME>A; The Other</ALIAS_NAME></INDIVIDUAL_ALIAS>
<INDIVIDUAL_ALIAS><QUALITY>Good</QUALITY><ALIAS_NAME>A</ALIAS_NAME></INDIVIDUAL_ALIAS>
<INDIVIDUAL_DATE_OF_BIRTH><TYPE_OF_DATE>APPROXIMATELY</TYPE_OF_DATE><YEAR>1970</YEAR>
</INDIVIDUAL_DATE_OF_BIRTH><INDIVIDUAL_DATE_OF_BIRTH><FROM_YEAR>1960</FROM_YEAR>
<TO_YEAR>1962</TO_YEAR></INDIVIDUAL_DATE_OF_BIRTH></INDIVIDUAL>"""


def write(folder, name, text):
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def enlist(inner):
    return f"<CONSOLIDATED_LIST><INDIVIDUALS>{inner}</INDIVIDUALS></CONSOLIDATED_LIST>"


def test_an_ofac_list_is_read_with_its_aliases_addresses_and_remarks(tmp_path):
    remarks = "\"DOB circa 1970; alt. DOB 2 Mar 1971; nationality Chad; a.k.a. 'JACK'.\"\r\n"
    vessel = '9,"SEA","vessel","CUBA",-0- ,"C1",-0- ,-0- ,-0- ,"Cyprus",-0- ,-0- \r\n\x1a'
    primary = write(tmp_path, "sdn.csv", PERSON + remarks + vessel)
    aliases = write(tmp_path, "alt.csv", '7,1,"aka","JON",-0- \r\n')
    addresses = write(tmp_path, "add.csv", '7,1,-0- ,"Havana","Cuba",-0- \r\n\x1a\r\n')
    entries, findings = read_ofac("OFAC-SDN", primary, aliases, addresses)
    person, ship = entries
    assert not findings
    assert person.kind is Kind.PERSON
    assert person.aliases == (Alias("JON"), Alias("JACK", is_weak=True))
    assert person.born == (Days(19690101, 19711231), Days(19710302, 19710302))
    assert person.countries == ("Chad", "Cuba")
    assert person.programmes == ("SDGT", "CUBA")
    assert (ship.kind, ship.countries) == (Kind.VESSEL, ("Cyprus",))


def test_what_an_ofac_list_has_wrong_is_told_with_file_and_line(tmp_path):
    rows = [
        PERSON + '"DOB 31 Feb 1970."',
        PERSON + "-0- ",
        "8,short",
        PERSON.replace("7,", "x,", 1) + "-0- ",
        PERSON.replace("7,", "9,", 1).replace("individual", "planet") + "-0- ",
        PERSON.replace("7,", "10,", 1).replace('"SMITH, John"', "-0- ") + "-0- ",
        PERSON.replace("7,", "11,", 1).replace("John", "J\xf6rg") + "-0- ",
    ]
    primary = write(tmp_path, "sdn.csv", "\n".join(rows).encode("latin-1"))
    aliases = write(tmp_path, "alt.csv", '99,1,"aka","GHOST",-0- \n99,2,"aka","SPOOK",-0- \n')
    entries, findings = read_ofac("OFAC-SDN", primary, aliases)
    assert [(f.file, f.line, f.is_left_out) for f in findings] == [
        ("sdn.csv", 1, False),
        ("sdn.csv", 2, True),
        ("sdn.csv", 3, True),
        ("sdn.csv", 4, True),
        ("sdn.csv", 5, False),
        ("sdn.csv", 6, True),
        ("sdn.csv", 7, False),
        ("alt.csv", 1, True),
    ]
    assert str(findings[-1]).startswith("alt.csv:1: aliases of entry 99 that sdn.csv does not have")
    assert "2 columns" in str(findings[2])
    assert str(findings[2]).startswith("sdn.csv:3: ")
    # An alias of an entry that is not there is screened against all the same.
    assert entries[-1].kind is Kind.UNKNOWN
    assert (entries[-1].name, entries[-1].aliases) == ("GHOST", (Alias("SPOOK"),))


def test_of_a_list_that_was_cut_off_all_that_is_missing_is_told_at_once(tmp_path):
    primary = write(tmp_path, "sdn.csv", PERSON + "-0- \n")
    rows = "".join(f'{number},1,"aka","GHOST",-0- \n' for number in range(7, 2_000))
    reading = read_ofac("OFAC-SDN", primary, write(tmp_path, "alt.csv", rows))
    (finding,) = reading.findings
    assert (finding.line, finding.is_left_out) == (2, True)
    assert "1,992 entries that sdn.csv does not have" in finding.text


@pytest.mark.parametrize("text", ["", "a page, not a list\n", '7,"open\n'])
def test_what_is_no_ofac_list_is_refused(tmp_path, text):
    with pytest.raises(Invalid, match=r"sdn\.csv"):
        read_ofac("OFAC-SDN", write(tmp_path, "sdn.csv", text))
    with pytest.raises(Invalid, match=r"none\.csv cannot be read"):
        read_ofac("OFAC-SDN", tmp_path / "none.csv")


def test_a_un_list_is_read_and_what_it_has_wrong_told_with_its_line(tmp_path):
    nameless = "<INDIVIDUAL><REFERENCE_NUMBER>QDi.2</REFERENCE_NUMBER></INDIVIDUAL>"
    undated = INDIVIDUAL.replace("QDi.1", "QDi.3").replace("1970", "long ago")
    inner = f"{INDIVIDUAL}\n{nameless}\n{INDIVIDUAL}\n{undated}\n<INDIVIDUAL/>"
    entries, findings = read_un(write(tmp_path, "un.xml", enlist(inner)))
    first = entries[0]
    assert (first.source, first.id, first.name) == ("UN", "QDi.1", "Ann Other")
    assert first.aliases == (Alias("A"), Alias("The Other", is_weak=True))
    assert first.born == (Days(19690101, 19711231), Days(19600101, 19621231))
    assert (first.countries, first.programmes) == (("Chad",), ("Al-Qaida",))
    assert [entry.id for entry in entries] == ["QDi.1", "QDi.3"]
    assert [(f.line, f.is_left_out) for f in findings] == [
        (9, True),
        (10, True),
        (18, False),
        (26, True),
    ]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (BOMB, "document type declaration"),
        (enlist(INDIVIDUAL)[:-20], "no element found"),
        (enlist(INDIVIDUAL.replace("Ann", "&ann;")), "undefined entity"),
        (enlist(""), "no entry"),
        ("<RSS/>", "not CONSOLIDATED_LIST"),
        (enlist(f"<INDIVIDUAL>{'x' * ENTRY_SIZE_MAX}y</INDIVIDUAL>"), "characters"),
        (enlist("<A>" * DEPTH_MAX), "deep"),
    ],
)
def test_what_is_no_un_list_is_refused_with_its_line(tmp_path, text, why):
    with pytest.raises(Invalid, match=rf"un\.xml:\d+: .*{why}"):
        read_un(write(tmp_path, "un.xml", text))


def test_a_list_has_the_same_hash_in_whatever_order_it_was_read(tmp_path):
    other = INDIVIDUAL.replace("QDi.1", "QDi.2")
    entries = read_un(write(tmp_path, "un.xml", enlist(INDIVIDUAL + other))).entries
    built = build_list(entries)
    assert build_list([*reversed(entries), entries[0]]) == built
    assert build_list(entries[:1]).content_hash != built.content_hash


@pytest.mark.parametrize(
    ("text", "days"),
    [
        ("14 Jun 1975", Days(19750614, 19750614)),
        ("Feb 1975", Days(19750201, 19750229)),
        ("01 Jan 1960 to 31 Dec 1961", Days(19600101, 19611231)),
        ("circa 1960-1961", Days(19590101, 19621231)),
        ("14 1975", None),
        ("1962 to 1961", None),
        ("1960 to 1961 to 1962", None),
        ("31 Apr 1975", None),
    ],
)
def test_dates_of_birth_are_days_from_one_to_another(text, days):
    assert read_born(text) == days


def test_dates_of_numbers_are_read_as_far_as_they_go():
    assert read_iso("1975-06") == Days(19750601, 19750630)
    assert read_iso("1975-13") is None
