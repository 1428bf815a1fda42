"""Our wallet gets credentials of an issuer made of `@openid4vc`, and shows them to its verifier."""

import json
import re
from http.client import HTTPConnection
from urllib.parse import urlsplit

import pytest
from tests.clients.foreign import run_foreign
from tests.unit.node.identity.holder.playing import QUERY, open_wallet, run_counter
from tests.unit.node.identity.issuer.playing import MEI, REDIRECT

from hansa.identity.encoding.base64url import encode_base64url

issuer = run_foreign("issuer")
verifier = run_foreign("verifier")


@pytest.fixture
def wallet(tmp_path, monkeypatch, capsys):
    return open_wallet(tmp_path / "wallet", monkeypatch, capsys)


class Person:
    """Goes where the wallet says, and types where that led to."""

    def __init__(self, capsys):
        self.capsys = capsys

    def isatty(self):
        return True

    def readline(self):
        (address,) = re.findall(r"^  (http\S+)$", self.capsys.readouterr().err, re.MULTILINE)
        connection = HTTPConnection(urlsplit(address).netloc, timeout=60)
        connection.request("GET", address)
        response = connection.getresponse()
        connection.close()
        return f"{response.headers['Location']}\n"


def receive(wallet, issuer):
    uri = issuer.ask("offer", claims=MEI, txCode="271828")
    words = (uri, "--tx-code", "271828", "--loopback", "--yes")
    (received,) = wallet("receive", *words).found["received"]
    return received


def test_a_batch_comes_with_a_transaction_code_by_bound_tokens(wallet, issuer):
    received = receive(wallet, issuer)
    assert (received["state"], received["claims"], received["copies"]) == ("kept", MEI, 3)
    assert issuer.ask("listNotifications")[-1] == "credential_accepted"


def test_a_person_agrees_on_the_issuers_page(wallet, issuer, monkeypatch, capsys):
    """A pushed request, PKCE and DPoP."""
    uri = issuer.ask("offer", claims=MEI)
    monkeypatch.setattr("sys.stdin", Person(capsys))
    words = ("--client-id", "wallet", "--redirect-uri", REDIRECT, "--loopback", "--yes")
    (received,) = wallet("receive", uri, *words).found["received"]
    assert (received["state"], received["claims"]) == ("kept", MEI)


def test_what_is_not_ready_is_fetched_later(wallet, issuer):
    uri = issuer.ask("offer")
    for words in ((uri,), ("--waiting",)):
        (waiting,) = wallet("receive", *words, "--loopback", "--yes", code=1).found["received"]
        assert waiting["state"] == "waiting"
    issuer.ask("complete", claims=MEI)
    (received,) = wallet("receive", "--waiting", "--loopback", "--yes").found["received"]
    assert (received["state"], received["claims"], received["copies"]) == ("kept", MEI, 3)


def test_a_wrong_transaction_code_gets_nothing(wallet, issuer):
    uri = issuer.ask("offer", claims=MEI, txCode="271828")
    words = (uri, "--tx-code", "314159", "--loopback", "--yes")
    assert "invalid_grant" in wallet("receive", *words, code=2).err


def test_no_more_is_shown_than_is_asked_for(wallet, issuer, verifier):
    receive(wallet, issuer)
    uri = verifier.ask("ask", query=QUERY)
    shown = wallet("present", uri, "--loopback", "--yes").found
    (credential,) = shown["credentials"]
    assert (shown["state"], credential["shown"]) == ("taken", {"given_name": "Mei"})
    report = verifier.ask("report")
    assert report["type"] == "Encrypted"
    assert report["claims"]["given_name"] == "Mei"
    assert not {"family_name", "birthdate"} & set(report["claims"])


def test_a_payment_is_authorised_with_the_credential(wallet, issuer, verifier):
    receive(wallet, issuer)
    payment = {"type": "payment", "credential_ids": ["resident"], "amount_minor": "1250"}
    data = encode_base64url(json.dumps(payment).encode())
    uri = verifier.ask("ask", query=QUERY, changes={"transaction_data": [data]})
    shown = wallet("present", uri, "--loopback", "--yes").found
    assert shown["state"] == "taken"
    assert verifier.ask("report")["transactions"] == [payment]


def test_an_answer_to_another_request_is_not_taken(wallet, issuer, verifier):
    receive(wallet, issuer)
    uri = verifier.ask("ask", query=QUERY, expected="another nonce")
    assert "HTTP 400" in wallet("present", uri, "--loopback", "--yes", code=2).err
    assert verifier.ask("report") is None


def test_what_it_issued_we_verify(wallet, issuer):
    receive(wallet, issuer)
    with run_counter() as counter:
        asking = counter.ask()
        wallet("present", asking.uri, "--loopback", "--yes")
        report = counter.report(asking)
        assert report.is_accepted, report
        assert report.claims["resident"][0]["given_name"] == "Mei"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"response_uri": "http://192.0.2.1/answer"}, "https"),
        ({"client_id": "decentralized_identifier:did:jwk:eyJ9"}, "key of another DID"),
        ({"dcql_query": {"credentials": []}}, "credentials"),
    ],
)
def test_a_request_that_is_not_right_is_answered_by_nothing(wallet, verifier, changes, message):
    uri = verifier.ask("ask", query=QUERY, changes=changes)
    assert message in wallet("present", uri, "--loopback", "--yes", code=2).err
    assert verifier.ask("report") is None
