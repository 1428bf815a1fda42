"""Customers whose names are on sanctions lists: what holds for their payments, and until when."""

from __future__ import annotations

import csv
import pickle
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest
from tests.listed import RAMIRO, SDN, write_clearing, write_customers, write_wallet
from tests.world import key

from hansa.kernel.errors import Invalid, Unavailable
from hansa.node.home import Home
from hansa.node.risk.files import locked
from hansa.node.risk.loading import SANCTIONS, Models, RiskFolder, load
from hansa.node.risk.screening import (
    CLEARED,
    SCREENED,
    clear_hits,
    look_over,
    read_screening_files,
    screen_folder,
)
from hansa.risk.decisions.deciding import Listed
from hansa.risk.decisions.policy import Screening as Thresholds
from hansa.risk.verdicts import Verdict

ANN, BOB, SHOP = (key(name).address for name in ("ann", "bob", "shop"))
JANUARY_ENDS_MS = 1_801_440_000_000


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "policy.toml").write_text("version = 1\n")
    write_customers(tmp_path)
    return tmp_path


def find(loaded, payer, payee, time_ms=0):
    return loaded.find_listed(payer, payee, "", time_ms)


def test_hits_hold_for_payer_and_payee_until_they_are_cleared(folder):
    loaded = RiskFolder(folder).loaded
    hit = Listed(Verdict.REVIEW, SANCTIONS)
    assert [find(loaded, *pair) for pair in ((ANN, BOB), (BOB, SHOP), (BOB, BOB))] == [
        hit,
        hit,
        None,
    ]
    assert [(each.wallet, each.found.entry) for each in loaded.screening.hits] == [
        (ANN, "OFAC-SDN 306"),
        (SHOP, "OFAC-SDN 173"),
    ]
    found = loaded.screening.hits[0].found
    assert (found.born.name, found.country.name, found.programmes) == (
        "AGREES",
        "AGREES",
        ("CUBA",),
    )
    write_clearing(folder, "ann", "OFAC-SDN 306", RAMIRO, "2027-01-31")
    cleared = RiskFolder(folder).loaded
    assert find(cleared, ANN, BOB, JANUARY_ENDS_MS - 1) is None
    assert find(cleared, ANN, BOB, JANUARY_ENDS_MS) == hit
    assert find(cleared, ANN, SHOP) == hit
    write_clearing(folder, "ann", "OFAC-SDN 306", "Another Name")
    assert find(RiskFolder(folder).loaded, ANN, BOB) == hit
    # Who decides in another process needs no names.
    sources = pickle.loads(pickle.dumps(loaded.sources))  # noqa: S301 - our own
    again = load(sources, Models(None), "there")
    assert (find(again, ANN, BOB), again.screening) == (hit, None)


def test_policy_says_what_a_hit_does_and_lists_of_ones_own_how_it_stands(folder):
    policy = "version = 1\n[screening]\nreview_score = {}\nblock_score = {}\n"
    listed = "subject,name,list,until,why\nmerchant,shop,{},,why\n"
    (folder / "merchants.csv").write_text(f"wallet,merchant\n{write_wallet('bob')},shop\n")

    def stand(review, block, effect="allow"):
        (folder / "policy.toml").write_text(policy.format(review, block))
        (folder / "lists.csv").write_text(listed.format(effect))
        return find(RiskFolder(folder).loaded, ANN, BOB)

    score = RiskFolder(folder).loaded.screening.hits[0].found.score
    assert stand(score, score + 1) == (Verdict.REVIEW, SANCTIONS)
    assert stand(score, score) == (Verdict.BLOCK, SANCTIONS)
    assert stand(score, score, "block") == (Verdict.BLOCK, SANCTIONS)
    assert stand(score, score + 1, "block") == (Verdict.BLOCK, "blocked")
    assert stand(score + 1, score + 1) == (Verdict.ALLOW, "allowed")
    with pytest.raises(Invalid, match="block_score must not be below review_score"):
        stand(900_000, 800_000)


def test_only_what_is_new_is_screened_again(folder):
    files = read_screening_files(folder)
    assert look_over(folder, files, Thresholds()).unscreened == 3
    first = screen_folder(folder, Thresholds())
    assert look_over(folder, files, Thresholds()) == (0, 0, ())
    assert (folder / SCREENED).stat().st_mode & 0o077 == 0
    kept, written = (folder / SCREENED).read_bytes(), (folder / SCREENED).stat()
    assert screen_folder(folder, Thresholds()) == first
    assert (folder / SCREENED).stat() == written  # nobody was screened again
    write_customers(folder, ("carol", "Anglo Caribbean Co Ltd", "", ""))
    files = read_screening_files(folder)
    assert look_over(folder, files, Thresholds()).unscreened == 1
    assert len(screen_folder(folder, Thresholds()).hits) == 3
    lower = Thresholds(review_score=600_000)
    assert look_over(folder, files, lower).unscreened == 4
    (folder / SCREENED).write_bytes(kept[:-1] + b"\0")  # damaged
    assert look_over(folder, files, Thresholds()).unscreened == 4
    (folder / "sanctions" / "SDN.CSV").write_text(SDN + '9,"WONG, Ka Lei",-0- \n')
    changed = screen_folder(folder, Thresholds())
    assert (changed.lists_hash != first.lists_hash, changed.left_out) == (True, 1)
    assert changed.findings[0].startswith("SDN.CSV:4: 3 columns, not 12")


def test_a_backup_takes_along_who_is_screened_by_what_and_not_what_was_found(tmp_path):
    home = Home(tmp_path)
    write_customers(home.risk_path)
    write_clearing(home.risk_path, "ann", "OFAC-SDN 306", RAMIRO)
    screen_folder(home.risk_path, Thresholds())
    taken = {each for each in home.list_small_files(with_keys=False) if each.startswith("risk/")}
    names = {"customers.csv", "cleared.csv", "sanctions/SDN.CSV", "sanctions/alt.csv"}
    assert taken == {f"risk/{each}" for each in names}


def test_a_node_that_ends_waits_for_no_screening(folder):
    opened = RiskFolder(folder)
    opened.close()
    with pytest.raises(Unavailable, match="ended before it had"):
        opened.reload()


def test_customers_without_lists_are_refused_and_lists_without_customers_are_not(folder):
    (folder / "sanctions").rename(folder / "elsewhere")
    with pytest.raises(Invalid, match=r"no sanctions list .* or take .*customers.csv away"):
        RiskFolder(folder)
    (folder / "customers.csv").unlink()
    assert RiskFolder(folder).loaded.screening is None


def test_customers_who_were_screened_are_missed(folder):
    risk = RiskFolder(folder)
    (folder / "customers.csv").unlink()
    for read in (risk.reload, lambda: read_screening_files(folder)):
        with pytest.raises(Invalid, match="customers were screened before: put it back"):
            read()
    assert find(risk.loaded, ANN, BOB) == Listed(Verdict.REVIEW, SANCTIONS)
    (folder / SCREENED).unlink()
    risk.reload()
    assert find(risk.loaded, ANN, BOB) is None


def test_of_two_officers_who_clear_at_once_neither_is_lost(tmp_path):
    write_customers(tmp_path)
    hits = screen_folder(tmp_path, Thresholds()).hits
    clear = partial(clear_hits, tmp_path, hits, why="seen", until=None, by="Mr Wong")
    with ThreadPoolExecutor(1) as officer:
        with locked(tmp_path):  # by Ms Lei
            job = officer.submit(clear)
            with pytest.raises(TimeoutError):
                job.result(timeout=0.2)
            write_clearing(tmp_path, "ann", "OFAC-SDN 306", RAMIRO)
        job.result()
    with (tmp_path / CLEARED).open(newline="") as file:
        assert [row["by"] for row in csv.DictReader(file)] == ["Ms Lei", *["Mr Wong"] * len(hits)]


def test_a_folder_that_is_not_there_cannot_be_locked(tmp_path):
    with pytest.raises(Unavailable, match="cannot lock"), locked(tmp_path / "none"):
        pass
