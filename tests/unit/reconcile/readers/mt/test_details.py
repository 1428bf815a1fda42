"""Field `:86:` in the forms of banks."""

import pytest

from hansa.reconcile.readers.mt.details import Details, parse_details, parse_non_swift


def test_numbered_with_keys():
    assert parse_details(
        [
            "166?00GUTSCHRIFT?100399?20EREF+EndToEndId TFNR 22 004?21 00001?22",
            "KREF+K-1?23MREF+M-1?24CRED+DE98ZZZ09999999999?25BREF+B-1?26SVWZ+I",
            "nvoice 7?30BYLADEM1001?31DE02120300000000202051?32Ada?33Lovelace",
        ]
    ) == Details(
        text="Invoice 7",
        end_to_end="EndToEndId TFNR 22 004 00001",
        customer_reference="K-1",
        bank_reference="B-1",
        counterparty="Ada Lovelace",
        counterparty_account="DE02120300000000202051",
        business_code="166",
    )


def test_a_key_may_be_broken_between_parts():
    lines = ["835?22EREF+ 1234567890123 PAYPAL?23MREF+ 12AB234CD6E7F CRED+ A?24B12CDE00000000"]
    lines += ["00000000034 S?25VWZ+ . SPOTIFY"]
    found = parse_details(lines)
    assert (found.end_to_end, found.text) == ("1234567890123 PAYPAL", ". SPOTIFY")


def test_what_stands_before_keys_is_kept():
    assert parse_details(["835?20Cie., S.C.A.?21SVWZ+Your order"]).text == "Cie., S.C.A. Your order"


def test_keys_with_colons():
    found = parse_details(["105?20EREF: A-1 MREF: M SVWZ: Water bill"])
    assert (found.end_to_end, found.text) == ("A-1", "Water bill")


@pytest.mark.parametrize("divider", "?<>~^@|")
def test_any_divider(divider):
    line = "020?00POSTING?20What it is?30BANK?31123?32Ada".replace("?", divider)
    found = parse_details([line])
    assert (found.text, found.counterparty, found.counterparty_account) == (
        "What it is",
        "Ada",
        "123",
    )
    assert found.business_code == "020"


def test_numbered_without_a_business_code():
    assert parse_details(["?20Rent?32Ada"]) == Details("Rent", counterparty="Ada")


def test_without_a_purpose_the_posting_text_counts():
    assert parse_details(["805?00ENTGELT"]).text == "ENTGELT"


@pytest.mark.parametrize(
    ("parts", "account"),
    [
        ("?3050070010?310175526300", "50070010/0175526300"),
        ("?30BYLADEMM?31DE02120300000000202051", "DE02120300000000202051"),
        ("?3010600076?3177?38PL08 1060 0076", "PL0810600076"),
        ("?20IBAN+DE02120300000000202051", "DE02120300000000202051"),
        ("?30BYLADEMM", ""),
    ],
)
def test_accounts(parts, account):
    assert parse_details(["166" + parts]).counterparty_account == account


def test_a_blank_that_was_cut_off_at_the_end_of_a_line_comes_back():
    full = "166?20SVWZ+" + "a" * 54
    assert parse_details([full, "b" * 64, "c"]).text.endswith("a" + "b" * 64 + " c")
    assert parse_details([full, "b" * 63, "c"]).text.endswith("b" * 63 + "c")


def test_coded():
    assert parse_details(
        [
            "/TRTP/SEPA OVERBOEKING/IBAN/NL71RABO0123456789/BIC/RABONL2U/NAME/A",
            "DA/REMI/FACTUUR 20:44:45 /X/ 7/EREF/E-1/KREF/K-1",
        ]
    ) == Details(
        text="FACTUUR 20:44:45 /X/ 7",
        end_to_end="E-1",
        customer_reference="K-1",
        counterparty="ADA",
        counterparty_account="NL71RABO0123456789",
    )


@pytest.mark.parametrize(
    ("line", "text", "name", "account"),
    [
        (
            "/EREF/1/CNTP/NL32INGB0000012345/INGBNL2A/J. Bos/JOHN///REMI/USTD//Rent/",
            "Rent",
            "J. Bos",
            "NL32INGB0000012345",
        ),
        ("/BENM//NAME/JOHN DOE/REMI//ISDT/2013-07-11", "", "JOHN DOE", ""),
        ("/ORDP//NAME/A/REMI/STRD/CUR/1234", "1234", "A", ""),
        (
            "/RTRN/MS03//BUSP/Europese Incasso//BENM/NL50INGB0001234567/INGBNL2A/WeB/REMI/X",
            "X",
            "WeB",
            "NL50INGB0001234567",
        ),
        ("/BENM/300000000000133/BANK AD/Mesecna", None, "BANK AD", "300000000000133"),
        ("/TYPE/X/NAME/Ada/REMI/Rent", "Rent", "Ada", ""),
        ("/REMI/CDTRREFTP//CD/SCOR/ISSR/CUR/CDTRREF/123/NAME/Tax", "123", "Tax", ""),
        ("/ACCW/NL71RABO0123456789,RABONL2U/ORDP//NAME/A", None, "A", "NL71RABO0123456789"),
    ],
)
def test_codes_of_other_banks(line, text, name, account):
    found = parse_details([line])
    assert found.text == (line if text is None else text)
    assert (found.counterparty, found.counterparty_account) == (name, account)


def test_words_alone():
    assert parse_details(["RC AFREKENING", "", " two  words "]) == Details(
        "RC AFREKENING two words"
    )
    assert parse_details(["/PT/FT/PY/SOMETHING"]) == Details("/PT/FT/PY/SOMETHING")
    assert parse_details(["a" * 65, "b"]) == Details("a" * 65 + "b")
    assert parse_details([""]) == parse_details([]) == Details()


def test_words_behind_an_iban():
    lines = ["NL47INGB9999999999 hr gjlm paulissen", "", "Betaling sieraden"]
    assert parse_details(lines) == Details(
        "Betaling sieraden",
        counterparty="hr gjlm paulissen",
        counterparty_account="NL47INGB9999999999",
    )


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (
            ["FACTUUR 1", "REK: NL65INGB0123456789/NAAM: PICQER"],
            Details("FACTUUR 1", counterparty="PICQER", counterparty_account="NL65INGB0123456789"),
        ),
        (
            [
                "911 TRANSAKCJA; Z RACH.: ",
                "56114010810000267002001001; OD: JAN NOWAK  ",
                "KRAKOW; TYT.: PRZELEW; DWA ; ",
                "TNR: 179171073864111.010001",
            ],
            Details(
                "PRZELEW; DWA",
                counterparty="JAN NOWAK KRAKOW",
                counterparty_account="56114010810000267002001001",
            ),
        ),
    ],
)
def test_labels(lines, expected):
    assert parse_details(lines) == expected


def test_labels_of_abn_amro():
    lines = ["SEPA OVERBOEKING                 IBAN: NL56CHAS0101010101"]
    lines += ["BIC: CHASNL2X                    NAAM: AA GHGHGH NETHERLANDS B.V."]
    found = parse_details([*lines, "OMSCHRIJVING: 1412DEC 2015", "KENMERK: 7541410"])
    assert found == Details(
        "1412DEC 2015",
        end_to_end="7541410",
        counterparty="AA GHGHGH NETHERLANDS B.V.",
        counterparty_account="NL56CHAS0101010101",
    )
    found = parse_details([*lines, "BETALINGSKENM.: 1234123412341234"])
    assert found.text == "1234123412341234"


def test_non_swift_lines_have_numbers():
    lines = ["01What", "02it is", "15Ada", "16Lovelace", "17POSTING", "1812345", "34777"]
    assert parse_non_swift(lines) == Details(
        "What it is", counterparty="Ada Lovelace", counterparty_account="777"
    )
    assert parse_non_swift(["17POSTING"]).text == "POSTING"
    assert parse_non_swift(["01What", "no number"]).text == "01What no number"
    assert parse_non_swift([]) == Details()
