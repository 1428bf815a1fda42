"""What an issuer or a wallet might try so that less is looked at than a verifier believes."""

import asyncio
import json
from itertools import count

import pytest
from tests.unit.identity.verifier.playing import (
    CLIENT_ID,
    HOLDER,
    ISSUER,
    ISSUER_KEY,
    NOW,
    RESIDENT,
    VCT,
    Counter,
    World,
    draw_from,
)

from hansa.identity.faults import Fault, Unsound
from hansa.identity.jose.jws import sign_jws
from hansa.identity.keys.jwk import write_jwk
from hansa.identity.sd_jwt.issuance import issue_sd_jwt
from hansa.identity.verifier.findings import Check
from hansa.identity.verifier.registry import Standing
from hansa.kernel.errors import NotFound

LIBRARY = "urn:city:library_card"
PAYMENT = {"type": "payment", "credential_ids": ["resident"], "amount": "10000"}


TIMES = {"huge": 1e308, "past": -1e308, "whole": 10**400, "long": -(10**4_298), "tiny": 1e-300}


def forge(selective=("given_name", "age_over_18"), **claims):
    """Make what an issuer signs that does not use our own issuance."""
    told = tell(claims)
    paths = tuple((name,) for name in selective)
    return issue_sd_jwt(ISSUER_KEY, told, paths, draw_from(700), header={"typ": "dc+sd-jwt"})


def tell(claims):
    return {
        "vct": VCT,
        "iss": ISSUER,
        "iat": NOW - 1_000,
        "cnf": {"jwk": write_jwk(HOLDER.public_key)},
        "given_name": "Mei",
        "age_over_18": True,
    } | claims


def judge(credential, **how):
    paths = [(name,) for name in how.pop("shown", ("given_name", "age_over_18"))]
    return Counter(how.pop("world", None)).judge(credential=credential, paths=paths, **how)


def faults_of(report):
    return {(each.check, each.fault) for each in report.findings if each.fault is not None}


class TypedWorld(World):
    """Its issuer is accredited for one type alone."""

    async def find_standing(self, issuer, credential_type, time_ms):
        is_accredited = credential_type == LIBRARY
        return Standing(is_accredited=is_accredited, text=f"asked for {credential_type}")


def test_an_issuer_is_accredited_for_each_type_that_its_credential_passes_for():
    report = judge(forge(vct=LIBRARY, aka_vcts=[VCT]), world=TypedWorld())
    assert faults_of(report) == {(Check.ACCREDITATION, Fault.ACCREDITATION)}
    assert judge(forge(aka_vcts=[LIBRARY])).is_accepted


def test_what_decides_whether_it_counts_cannot_be_kept_back():
    report = judge(
        forge(("given_name", "age_over_18", "exp"), exp=NOW + 1_000),
        shown=("given_name", "age_over_18", "exp"),
    )
    assert faults_of(report) >= {(Check.FORMAT, Fault.DISCLOSURE)}


@pytest.mark.parametrize("meant", ["x509_san_dns:other.example", ["x", "y"], 1])
def test_a_credential_for_other_verifiers_is_found(meant):
    assert (Check.VALIDITY, Fault.AUDIENCE) in faults_of(judge(forge(aud=meant)))
    assert judge(forge(aud=["x", CLIENT_ID])).is_accepted


@pytest.mark.parametrize("status", [{}, {"revocation_register": {"url": "https://x.example"}}])
def test_a_status_that_cannot_be_read_is_not_taken_for_none(status):
    assert faults_of(judge(forge(status=status))) >= {(Check.FORMAT, Fault.UNSUPPORTED)}


@pytest.mark.parametrize("name", ["iat", "nbf", "exp"])
@pytest.mark.parametrize("value", TIMES)
def test_a_time_beyond_all_clocks_is_judged(name, value):
    raw = json.dumps(tell({name: TIMES[value]})).encode()
    token = f"{sign_jws(ISSUER_KEY, {'typ': 'dc+sd-jwt'}, raw)}~"
    found = faults_of(Counter().judge(token))
    assert ((Check.FORMAT, Fault.MALFORMED) in found) is (name == "iat" and value != "tiny")


CHOICE = {
    "credentials": [
        *RESIDENT["credentials"],
        {"id": "card", "format": "dc+sd-jwt", "meta": {"vct_values": [LIBRARY]}},
    ],
    "credential_sets": [{"options": [["resident"], ["card"]]}],
}


def test_a_transaction_is_authorised_by_a_credential_that_it_names_or_not_at_all():
    counter = Counter()
    asking = counter.ask(CHOICE, transactions=[PAYMENT])
    request = counter.fetch(asking)
    token = {"card": [counter.present(request, forge(vct=LIBRARY))]}
    counter.answer(asking, request, token)
    assert faults_of(counter.report(asking)) == {(Check.TRANSACTION, Fault.BINDING)}


def test_a_transaction_asks_for_binding_even_where_the_query_does_not():
    query = json.loads(json.dumps(RESIDENT))
    query["credentials"][0]["require_cryptographic_holder_binding"] = False
    report = Counter().judge(query=query, ask={"transactions": [PAYMENT]})
    assert faults_of(report) == {(Check.TRANSACTION, Fault.BINDING)}
    assert Check.BINDING in {each.check for each in report.findings}


class SlowWorld(World):
    """Answers about a status late, the first who asks last."""

    def __init__(self):
        super().__init__()
        self.gate = asyncio.Event()
        self.count = count()

    async def get_status(self, issuer, reference):
        if next(self.count) == 0:
            await self.gate.wait()
        else:
            self.gate.set()
        return await super().get_status(issuer, reference)


def test_of_two_answers_at_once_a_session_takes_one():
    counter = Counter(SlowWorld(), encrypts=False)
    asking = counter.ask()
    request = counter.fetch(asking)
    token = json.dumps({"resident": [counter.present(request)]})
    sent = {"vp_token": token, "state": request["state"]}

    async def answer_twice():
        calls = [
            counter.verifier.take_answer(asking.session_id, sent, counter.now_ms) for _ in range(2)
        ]
        return await asyncio.gather(*calls, return_exceptions=True)

    ended = asyncio.run(answer_twice())
    assert sorted(type(each) for each in ended if each != {}) == [NotFound]
    assert counter.report(asking).is_accepted


@pytest.mark.parametrize("name", ["q", "\x1b[2J", "q" * 999])
def test_an_answer_to_what_was_not_asked_is_told_in_few_plain_words(name):
    counter = Counter(encrypts=False)
    asking = counter.ask()
    counter.answer(asking, counter.fetch(asking), {name: []})
    texts = [each.text for each in counter.report(asking).findings]
    assert any("was not asked for" in text for text in texts)
    assert all(text.isprintable() and len(text) < 200 for text in texts)


def test_an_answer_to_many_questions_is_refused_at_once():
    counter = Counter(encrypts=False)
    asking = counter.ask()
    with pytest.raises(Unsound) as caught:
        counter.answer(asking, counter.fetch(asking), {str(x): [] for x in range(60_000)})
    assert caught.value.fault is Fault.TOO_LARGE
    assert counter.report(asking) is None


def test_a_condition_that_is_not_checked_is_not_asked_for():
    query = json.loads(json.dumps(RESIDENT))
    query["credentials"][0]["trusted_authorities"] = [{"type": "aki", "values": ["AAAA"]}]
    with pytest.raises(Unsound) as caught:
        Counter().ask(query)
    assert caught.value.fault is Fault.UNSUPPORTED
