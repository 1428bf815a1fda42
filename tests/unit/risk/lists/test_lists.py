"""Lists are read whole or refused with every fault."""

import pytest

from hansa.kernel.errors import Invalid, InvalidCode
from hansa.risk.lists.listings import (
    Effect,
    Subject,
)
from hansa.risk.lists.reading import COLUMNS, read_lists

TOML = """# of the bank
[[listings]]
subject = "wallet"
name = "hansa1good"
list = "allow"
until = 2027-01-31
why = "payroll"

[[listings]]
subject = "device"
name = "d-7"
list = "block"
until = 2027-01-31T12:00:00+02:00
why = "stolen"

[[ listings ]]   # a shop
subject = "merchant"
name = "shop"
list = "block"
why = "left"
"""
CSV = """subject,name,list,until,why
wallet,hansa1good,allow,2027-01-31,payroll
device,d-7,block,2027-01-31T12:00:00+02:00,stolen
merchant,shop,block,,left
"""
FIRST_OF_FEBRUARY_MS = 1_801_440_000_000


def check_address(text):
    if not text.startswith("hansa1"):
        raise Invalid(InvalidCode.MALFORMED, f"{text} is no address")


def read(folder, name, text):
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_lists(path, check_address)


@pytest.mark.parametrize(
    ("name", "text"), [("l.toml", TOML), ("l.csv", CSV), ("l.csv", "\ufeff" + CSV)]
)
def test_listings_count_until_their_end_by_name(tmp_path, name, text):
    lists = read(tmp_path, name, text)
    assert len(lists) == 3
    wallet = lists.find(Subject.WALLET, "hansa1good", FIRST_OF_FEBRUARY_MS - 1)
    assert (wallet.effect, wallet.why) == (Effect.ALLOW, "payroll")
    assert lists.find(Subject.WALLET, "hansa1good", FIRST_OF_FEBRUARY_MS) is None
    device = lists.find(Subject.DEVICE, "d-7", 0)
    assert device.until_ms == FIRST_OF_FEBRUARY_MS - 14 * 3_600_000
    assert lists.find(Subject.MERCHANT, "d-7", 0) is None


def test_all_faults_of_a_file_are_told_with_their_lines(tmp_path):
    rows = "wallet,x,allow,,a\nhouse,y,block,,b\ndevice,z,block,soon,c\ndevice,,block,,d\n"
    with pytest.raises(Invalid) as caught:
        read(tmp_path, "l.csv", ",".join(COLUMNS) + "\n" + rows)
    assert caught.value.message == (
        f"{tmp_path / 'l.csv'}: line 2: x is no address; "
        "line 3: subject is 'house', not one of wallet, device, merchant; "
        "line 4: until is 'soon', neither a date nor a time; line 5: name missing"
    )
    with pytest.raises(Invalid, match=r"l\.toml: line 9: untl is unknown"):
        read(tmp_path, "l.toml", TOML.replace("until = 2027-01-31T", "untl = 2027-01-31T"))
    with pytest.raises(Invalid, match=r"without its offset"):
        read(tmp_path, "l.toml", TOML.replace("+02:00", ""))


def test_the_last_day_of_all_is_an_end_like_others(tmp_path):
    lists = read(tmp_path, "l.csv", ",".join(COLUMNS) + "\ndevice,d,block,9999-12-31,lost\n")
    assert lists.find(Subject.DEVICE, "d", 0).until_ms == 253_402_300_800_000


@pytest.mark.parametrize(
    ("name", "text", "why"),
    [
        ("l.csv", "a,b\n", "first line"),
        ("l.csv", CSV + '"open', "line"),
        ("l.csv", CSV + CSV.splitlines()[3], "listed twice"),
        ("l.toml", "[[listing]]", "only tables"),
        ("l.toml", "listings = 3", "only tables"),
        ("l.toml", "[[listings", "end of an array"),
        ("l.toml", "listings = " + "[" * 100_000, "nested too deep"),
        ("l.toml", b"\xff", "cannot be read"),
    ],
)
def test_what_is_no_such_file_is_refused(tmp_path, name, text, why):
    with pytest.raises(Invalid, match=why):
        read(tmp_path, name, text)
    with pytest.raises(Invalid, match="cannot be read"):
        read_lists(tmp_path / "none.toml", check_address)
