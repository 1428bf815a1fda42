"""Full circle over HTTP: an issuer offers, a wallet receives and presents, a verifier accepts.

Everything a person does here is typed at the command line.
"""

import re
import secrets
from urllib.parse import urlencode
from urllib.request import HTTPRedirectHandler, Request, build_opener

import pytest
from tests.unit.node.identity.holder.playing import open_wallet, run_counter
from tests.unit.node.identity.issuer.playing import (
    CHEAP,
    MEI,
    REDIRECT,
    run_issuer,
)

from hansa.node.identity.fetching import FetchRules
from hansa.node.identity.holder.carrying import Carrier
from hansa.node.identity.holder.receiving import Client, Receiver
from hansa.node.identity.holder.vault import create_vault, open_vault
from hansa.node.service import wall_clock_ms


@pytest.fixture(scope="module")
def office(tmp_path_factory):
    with run_issuer(tmp_path_factory.mktemp("office") / "issuer") as office:
        yield office


@pytest.fixture(scope="module")
def counter():
    with run_counter() as counter:
        yield counter


@pytest.fixture
def wallet(tmp_path, monkeypatch, capsys):
    return open_wallet(tmp_path / "wallet", monkeypatch, capsys)


def receive(wallet, office, *words):
    made = office.offer(needs_tx_code=False)
    (found,) = wallet("receive", made.uri, "--loopback", "--yes", *words).found["received"]
    return found


def test_full_circle(wallet, office, counter):
    made = office.offer()
    got = wallet("receive", made.uri, "--tx-code", made.tx_code, "--loopback", "--yes").found
    (received,) = got["received"]
    assert (received["state"], received["claims"], received["copies"]) == ("kept", MEI, 5)
    asking = counter.ask()
    shown = wallet("present", asking.uri, "--loopback", "--yes").found
    assert shown["state"] == "taken"
    (credential,) = shown["credentials"]
    assert credential["shown"] == {"given_name": "Mei"}
    assert set(credential["hidden"]) == {"family_name", "birthdate"}
    report = counter.report(asking)
    assert report.is_accepted, report
    (claims,) = report.claims["resident"]
    assert claims["given_name"] == "Mei"
    assert "birthdate" not in claims
    (told,) = wallet("history").found["history"]
    assert (told["claims"], told["outcome"]) == (["given_name"], "taken")
    assert told["verifier"] == shown["verifier"]
    (kept,) = wallet("list").found["credentials"]
    assert (kept["id"], kept["copies"]) == (told["id"], 5)
    assert wallet("show", kept["id"]).found["claims"] == MEI
    issued = office.work(lambda desk: desk.list_issued(0, 50))
    assert len({each.issued.holder_key for each in issued}) == len(issued)


def test_copies_wear_evenly(wallet, office, counter):
    receive(wallet, office, "--copies", 3)
    seen = []
    for _ in range(4):
        asking = counter.ask()
        wallet("present", asking.uri, "--loopback", "--yes")
        (claims,) = counter.report(asking).claims["resident"]
        seen.append(claims["cnf"]["jwk"]["x"])
    assert len(set(seen[:3])) == 3
    assert seen[3] in seen[:3]


def test_a_person_is_told_and_asked(wallet, office, counter):
    made = office.offer()
    words = ("receive", made.uri, "--loopback")
    printed = wallet(*words, typed=[made.tx_code, "yes"])
    assert "Mei" in printed.out
    assert "Keep it?" in printed.err
    payment = {"type": "payment", "credential_ids": ["resident"], "amount": "12.50"}
    asking = counter.ask(transactions=[payment])
    told = wallet("present", asking.uri, "--loopback", typed=["yes"]).out
    assert "did:jwk:" in told
    assert re.search(r"shown +given_name +Mei", told)
    (hidden,) = re.findall(r"hidden +(.*)", told)
    assert set(hidden.split(", ")) == {"family_name", "birthdate"}
    assert "12.50" in told
    assert counter.report(asking).is_accepted
    assert "12.50" in wallet("history", typed=[]).out
    assert "Resident" in wallet("list", typed=[]).out


def test_who_says_no_shows_and_keeps_nothing(wallet, office, counter):
    made = office.offer(needs_tx_code=False)
    assert "Not kept" in wallet("receive", made.uri, "--loopback", typed=["no"]).out
    assert wallet("list").found == {"credentials": [], "waiting": []}
    receive(wallet, office)
    asking = counter.ask()
    wallet("present", asking.uri, "--loopback", typed=["no"], code=2)
    assert counter.report(asking) is None
    assert wallet("history").found == {"history": []}
    wallet("decline", asking.uri, "--loopback", "--why", "I would rather not")
    assert "I would rather not" in counter.report(asking).findings[0].text


def test_a_person_asks_whether_it_was_taken_back(wallet, office):
    found = receive(wallet, office, "--copies", 2)
    words = ("show", found["id"], "--status", "--loopback")
    told = wallet(*words).found
    assert told["status"] == "not taken back"
    assert told["status_as_of"].endswith("Z")
    number = office.work(lambda desk: desk.list_issued(0, 500))[-1].number
    office.work(lambda desk: desk.revoke(number, wall_clock_ms()))
    assert wallet(*words, code=1).found["status"] == "1 of 2 copies revoked"
    assert "1 of 2 copies revoked" in wallet(*words, typed=[], code=1).out


def test_json_without_consent_shows_what_would_be_shown(wallet, office, counter):
    receive(wallet, office)
    asking = counter.ask()
    assert wallet("present", asking.uri, "--loopback").found["state"] == "not shown"
    assert counter.report(asking) is None


def test_what_is_not_held_is_missing(wallet, counter):
    asking = counter.ask()
    found = wallet("present", asking.uri, "--loopback", "--yes", code=1).found
    assert (found["state"], found["missing"]) == ("missing", ["no credentials for resident"])


def test_what_is_not_ready_is_fetched_later(wallet, office):
    made = office.offer(("resident", None), needs_tx_code=False)
    (told,) = wallet("receive", made.uri, "--loopback", "--yes", code=1).found["received"]
    assert told["state"] == "waiting"
    assert [each["id"] for each in wallet("list").found["waiting"]] == [told["id"]]
    office.work(lambda desk: desk.complete(made.datasets[0], MEI, wall_clock_ms()))
    (got,) = wallet("receive", "--waiting", "--loopback", "--yes").found["received"]
    assert (got["state"], got["id"], got["claims"]) == ("kept", told["id"], MEI)
    assert wallet("list").found["waiting"] == []


class _Stay(HTTPRedirectHandler):
    def redirect_request(self, *_):
        return None


def browse(url, address, tx_code):
    """Do what a person's browser does on the issuer's page; returns where it was sent."""
    opener = build_opener(_Stay)
    with opener.open(address) as response:
        page = response.read().decode()
    hidden = dict(re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', page))
    form = urlencode(hidden | {"tx_code": tx_code, "decision": "approve"}).encode()
    try:
        opener.open(Request(f"{url}/authorize", form, {"Origin": url}))  # noqa: S310 - our own
    except OSError as error:
        return error.headers["Location"]
    raise AssertionError("the page sent the browser nowhere")


def test_a_person_may_decide_on_the_issuers_page(tmp_path, office):
    made = office.offer()
    create_vault(tmp_path / "w", "x", secrets.token_bytes, CHEAP)
    carrier = Carrier(FetchRules(may_ask_loopback=True), secrets.token_bytes, wall_clock_ms)
    with open_vault(tmp_path / "w", "x", secrets.token_bytes) as vault:
        receiver = Receiver(vault, carrier)
        offer, source = receiver.read_offer(made.uri)
        client = Client("wallet", REDIRECT)
        (owed,) = receiver.authorize(
            offer, source, client, lambda url: browse(office.url, url, made.tx_code), 1
        )
        receiver.keep(receiver.fetch(owed))
        (kept,) = vault.contents.kept
    assert kept.holding.issuer == office.url


def test_what_got_lost_on_the_way_is_asked_for_again(tmp_path, office):
    made = office.offer(needs_tx_code=False)
    create_vault(tmp_path / "w", "x", secrets.token_bytes, CHEAP)
    carrier = Carrier(FetchRules(may_ask_loopback=True), secrets.token_bytes, wall_clock_ms)
    with open_vault(tmp_path / "w", "x", secrets.token_bytes) as vault:
        receiver = Receiver(vault, carrier)
        (owed,) = receiver.redeem(*receiver.read_offer(made.uri), "", 2)
        receiver.fetch(owed)  # and ends before it is kept
    with open_vault(tmp_path / "w", "x", secrets.token_bytes) as vault:
        receiver = Receiver(vault, carrier)
        (owed,) = vault.contents.waiting
        assert len(receiver.keep(receiver.fetch(owed))) == 2
        assert vault.contents.waiting == ()


def test_what_a_verifier_may_have_seen_is_remembered(wallet, office, counter):
    receive(wallet, office)
    asking = counter.ask()
    counter.is_broken = True
    try:
        wallet("present", asking.uri, "--loopback", "--yes", code=2)
    finally:
        counter.is_broken = False
    (told,) = wallet("history").found["history"]
    assert told["outcome"].startswith("declined: the presentation was declined with HTTP 500")


def test_without_loopback_nothing_of_this_machine_is_asked(wallet, office, counter):
    made = office.offer(needs_tx_code=False)
    told = wallet("receive", made.uri, "--yes", code=2)
    assert "only https addresses" in told.err
    assert "no sound https address" in wallet("present", counter.ask().uri, code=2).err


def test_one_credential_may_be_meant(wallet, office, counter):
    first, second = (receive(wallet, office, "--copies", 1)["id"] for _ in range(2))
    for meant in (second, first):
        shown = wallet("present", counter.ask().uri, "--loopback", "--with", meant).found
        assert [each["id"] for each in shown["credentials"]] == [meant]
    wallet("present", counter.ask().uri, "--loopback", "--with", "none", code=4)
    wallet("delete", first, code=2)
    wallet("delete", first, "--yes")
    assert [each["id"] for each in wallet("list").found["credentials"]] == [second]
    wallet("show", first, code=4)


def test_nobody_is_there_to_ask(wallet, office):
    made = office.offer()
    assert "say --yes" in wallet("receive", made.uri, "--loopback", code=2).err
    told = wallet("receive", made.uri, "--loopback", "--yes", code=2)
    assert "say --tx-code" in told.err


@pytest.mark.parametrize(
    "words",
    [
        ("receive", "openid-credential-offer://?x=1", "--yes"),
        ("present", "openid4vp://?x=1"),
        ("decline", "x"),
    ],
)
def test_what_is_no_offer_or_request_is_refused(wallet, words):
    wallet(*words, code=2)


def test_a_file_to_trust_holds_certificates(wallet, counter, tmp_path):
    roots = tmp_path / "root.pem"
    roots.write_text("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
    words = ("present", counter.ask().uri, "--loopback", "--trust", roots)
    assert "holds no certificates" in wallet(*words, code=2).err
    roots.unlink()
    wallet(*words, code=4)


def test_who_is_declined_may_stop_waiting(wallet, office):
    made = office.offer(("resident", None), needs_tx_code=False)
    (told,) = wallet("receive", made.uri, "--loopback", "--yes", code=1).found["received"]
    office.work(lambda desk: desk.decline(made.datasets[0], "not in the register", wall_clock_ms()))
    again = wallet("receive", "--waiting", "--loopback", "--yes", code=1)
    (failed,) = again.found["received"]
    assert failed["state"] == "failed"
    assert "not in the register" in failed["why"]
    assert f"delete {told['id']}" in again.err
    wallet("delete", told["id"], "--yes")
    assert wallet("receive", "--waiting", "--loopback", "--yes").found == {"received": []}


class Person:
    """Opens in a browser what the wallet prints, and types where it was sent."""

    def __init__(self, office, capsys, tx_code):
        self.office, self.capsys, self.tx_code = office, capsys, tx_code

    def isatty(self):
        return True

    def readline(self):
        (address,) = re.findall(r"^  (http\S+)$", self.capsys.readouterr().err, re.MULTILINE)
        return browse(self.office.url, address, self.tx_code) + "\n"


def test_the_issuers_page_leads_back_to_the_command_line(wallet, office, monkeypatch, capsys):
    made = office.offer()
    monkeypatch.setattr("sys.stdin", Person(office, capsys, made.tx_code))
    words = ("--client-id", "wallet", "--redirect-uri", REDIRECT, "--loopback", "--yes")
    (received,) = wallet("receive", made.uri, *words).found["received"]
    assert (received["state"], received["claims"]) == ("kept", MEI)


def test_an_answer_of_another_page_is_refused(wallet, office):
    made = office.offer()
    words = ("--client-id", "wallet", "--redirect-uri", REDIRECT, "--loopback")
    told = wallet("receive", made.uri, *words, typed=[f"{REDIRECT}?code=x&state=y"], code=2)
    assert "belongs to another request" in told.err
    assert wallet("list").found == {"credentials": [], "waiting": []}
