"""What an issuer's addresses answer to odd requests, and in which words."""

import json
import zlib
from base64 import urlsafe_b64decode
from io import BytesIO

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jwcrypto.jwk import JWK
from jwcrypto.jws import JWS
from tests.unit.node.identity.issuer.foreign_wallet import ForeignWallet, Refusal
from tests.unit.node.identity.issuer.playing import CLIENTS, MEI, play

from hansa.contracts.identity.status import Reinstate, Revoke, Suspend
from hansa.kernel.errors import Refused
from hansa.node.identity.http import make_plain

NOW = 1_795_953_600_000
FORM = "application/x-www-form-urlencoded"


def decode_part(part):
    return json.loads(urlsafe_b64decode(part + "=" * (-len(part) % 4)))


def test_metadata_come_plain_or_signed_as_the_wallet_prefers(tmp_path):
    async def scene(office):
        path = "/.well-known/openid-credential-issuer"
        plain = await office.get(path)
        assert plain.content_type == "application/json"
        assert plain.headers["Vary"] == "Accept"
        signed = await office.get(path, Accept="application/jwt, application/json;q=0.5")
        assert signed.content_type == "application/jwt"
        token = await signed.text()
        header, claims = map(decode_part, token.split(".")[:2])
        assert header["typ"] == "openidvci-issuer-metadata+jwt"
        assert claims["sub"] == office.url
        JWS().deserialize(token, JWK(**decode_part(header["kid"].partition("#")[0][8:])))
        assert {name: claims[name] for name in await plain.json()} == await plain.json()
        both = await office.get(path, Accept="application/json, application/jwt")
        assert both.content_type == "application/json"

    play(tmp_path, scene)


@pytest.mark.parametrize(
    ("body", "kind", "error"),
    [
        (b"{}", "application/json", "invalid_request"),
        (b"a=1&a=2", FORM, "invalid_request"),
        (b"a=\xff", FORM, "invalid_request"),
        (b"&".join(b"%d=1" % number for number in range(99)), FORM, "invalid_request"),
        (b"", FORM, "unsupported_grant_type"),
        (b"grant_type=authorization_code&client_id=x", FORM, "invalid_client"),
        (b"grant_type=authorization_code&client_id=wallet&code=x", FORM, "invalid_grant"),
    ],
)
def test_odd_forms_are_declined(tmp_path, body, kind, error):
    async def scene(office):
        answer = await office.post("/token", data=body, headers={"Content-Type": kind})
        told = await answer.json()
        assert (answer.status, told["error"]) == (401 if error == "invalid_client" else 400, error)
        assert answer.headers["Cache-Control"] == "no-store"
        assert told["error_description"].isascii()

    play(tmp_path, scene)


def test_a_credential_needs_a_token_and_says_how_to_show_it(tmp_path):
    async def scene(office):
        for path in ("/credential", "/deferred_credential", "/notification"):
            answer = await office.post(path, json={})
            assert answer.status == 401
            challenge = answer.headers["WWW-Authenticate"]
            assert challenge.startswith("DPoP algs=")
            assert challenge.endswith("Bearer")
            assert "error" not in challenge

    play(tmp_path, scene)


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/offers/none", 404),
        ("GET", "/status/1", 404),
        ("GET", "/nothing", 404),
        ("GET", "/token", 405),
        ("GET", "/authorize?client_id=wallet&request_uri=urn:x", 400),
    ],
)
def test_what_is_not_there(tmp_path, method, path, status):
    async def scene(office):
        answer = await (office.get(path) if method == "GET" else office.post(path))
        assert answer.status == status

    play(tmp_path, scene)


def test_another_name_is_not_answered(tmp_path):
    async def scene(office):
        assert (await office.post("/nonce", headers={"Host": "evil.example"})).status == 421

    play(tmp_path, scene)


def test_a_large_body_is_refused(tmp_path):
    async def scene(office):
        answer = await office.post(
            "/token", data=BytesIO(b"a" * (2 << 20)), headers={"Content-Type": FORM}
        )
        assert answer.status == 413

    play(tmp_path, scene)


def test_who_asks_too_often_waits(tmp_path):
    async def scene(office):
        found = [(await office.post("/nonce")) for _ in range(5)]
        assert [each.status for each in found] == [200, 200, 200, 429, 429]
        assert found[-1].headers["Retry-After"] == "1"

    more = "\n[wallets]\nrequests_per_s = 1\nrequests_burst = 3\n"
    play(tmp_path, scene, more=more, clock_s=lambda: 0.0)


def test_a_schema_that_became_stricter_stops_what_was_offered(tmp_path):
    async def scene(office):
        wallet = ForeignWallet(office.http)
        await wallet.scan(office.offer(needs_tx_code=False).uri)
        await wallet.redeem_offer()
        with pytest.raises(Refusal) as caught:
            await wallet.call("credential_endpoint", {"credential_configuration_id": "other"})
        assert caught.value.error == "unknown_credential_configuration"
        with pytest.raises(Refusal) as caught:
            await wallet.call("credential_endpoint", {"credential_configuration_id": "resident"})
        assert caught.value.error == "invalid_proof"

    play(tmp_path, scene)


def test_what_the_officer_decides_stands_in_the_status_list(tmp_path):
    async def scene(office):
        place = await issue_one(office)
        assert place["uri"] == f"{office.url}/status/1"
        index = place["idx"]
        assert await read_status(office, index) == 0
        assert office.work(lambda desk: desk.suspend(1, NOW)).issued.suspended_s == NOW // 1_000
        assert await read_status(office, index) == 2
        assert office.work(lambda desk: desk.reinstate(1, NOW)).issued.suspended_s == 0
        assert await read_status(office, index) == 0
        office.work(lambda desk: desk.revoke(1, NOW))
        again = office.work(lambda desk: desk.revoke(1, NOW + 100_000))
        assert again.issued.revoked_s == NOW // 1_000
        assert await read_status(office, index) == 1
        assert (await office.get("/status/2")).status == 404
        with pytest.raises(Refused, match="WRONG_STATE"):
            office.work(lambda desk: desk.reinstate(1, NOW))

    play(tmp_path, scene)


def test_all_copies_of_a_credential_are_taken_back_and_no_more_are_handed_out(tmp_path):
    async def scene(office):
        other = await issue_one(office)
        wallet = ForeignWallet(office.http)
        await wallet.scan(office.offer(needs_tx_code=False).uri)
        await wallet.redeem_offer()
        places = [await fetch(wallet), await fetch(wallet)]
        office.work(lambda desk: desk.revoke(2, NOW))  # one copy, long ago
        decided = office.work(lambda desk: desk.decide(3, Suspend, NOW))
        assert [each.number for each in decided] == [3]
        with pytest.raises(Refusal) as caught:
            await fetch(wallet)
        assert caught.value.error == "credential_request_denied"
        decided = office.work(lambda desk: desk.decide(3, Reinstate, NOW))
        places.append(await fetch(wallet))
        assert [await read_status(office, each["idx"]) for each in places] == [1, 0, 0]
        decided = office.work(lambda desk: desk.decide(4, Revoke, NOW))
        assert [each.number for each in decided] == [4, 3]
        assert [await read_status(office, each["idx"]) for each in places] == [1, 1, 1]
        assert await read_status(office, other["idx"]) == 0
        with pytest.raises(Refusal):
            await fetch(wallet)
        with pytest.raises(Refused, match="WRONG_STATE"):
            office.work(lambda desk: desk.decide(4, Reinstate, NOW))
        with pytest.raises(Refusal):
            await fetch(wallet)

    play(tmp_path, scene)


def test_lists_of_one_bit_stay_so_and_suspend_nothing(tmp_path):
    async def scene(office):
        place = await issue_one(office)
        with pytest.raises(Refused, match="CANNOT_SUSPEND"):
            office.work(lambda desk: desk.suspend(1, NOW))
        office.work(lambda desk: desk.revoke(1, NOW))
        assert await read_status(office, place["idx"]) == 1

    play(tmp_path, scene, edit=lambda text: text.replace("bits = 2", "bits = 1"))


async def issue_one(office):
    """Issue one credential; returns its place in a status list."""
    wallet = ForeignWallet(office.http)
    await wallet.scan(office.offer(needs_tx_code=False).uri)
    await wallet.redeem_offer()
    return await fetch(wallet)


async def fetch(wallet):
    """Fetch a copy; returns its place in a status list."""
    _, body = await wallet.get_credential(JWK.generate(kty="EC", crv="P-256"))
    claims = decode_part(body["credentials"][0]["credential"].split(".")[1])
    return claims["status"]["status_list"]


def test_a_did_of_the_ledger_and_lists_elsewhere_stand_in_the_credential(tmp_path):
    did, lists = "did:hansa:city:hansa1x", "https://node.example/status-lists/hansa1x"

    async def scene(office):
        wallet = ForeignWallet(office.http)
        await wallet.scan(office.offer(needs_tx_code=False).uri)
        await wallet.redeem_offer()
        _, body = await wallet.get_credential(JWK.generate(kty="EC", crv="P-256"))
        header, claims = map(decode_part, body["credentials"][0]["credential"].split(".")[:2])
        assert (header["kid"], claims["iss"]) == (f"{did}#signing", did)
        assert claims["status"]["status_list"]["uri"] == f"{lists}/1"
        assert (await office.get("/status/1")).status == 404

    head = f'did = "{did}"\nkey_id = "{did}#signing"\n'
    play(
        tmp_path,
        scene,
        head=head,
        edit=lambda text: text.replace("[status]", f'[status]\nurl = "{lists}"'),
    )


async def read_status(office, index):
    answer = await office.get("/status/1")
    assert answer.content_type == "application/statuslist+jwt"
    claims = decode_part((await answer.text()).split(".")[1])
    raw, bits = claims["status_list"]["lst"], claims["status_list"]["bits"]
    content = zlib.decompress(urlsafe_b64decode(raw + "=" * (-len(raw) % 4)))
    return content[index * bits // 8] >> index * bits % 8 & (1 << bits) - 1


def test_descriptions_are_plain():
    assert make_plain('a "b" \\ – é\n') == "a 'b' ? ? ??"
    assert make_plain(MEI["given_name"]) == "Mei"


PATHS = ("/par", "/token", "/nonce", "/credential", "/deferred_credential", "/notification")
ODD = st.tuples(
    st.sampled_from([*PATHS, "/authorize"]),
    st.sampled_from([FORM, "application/json", "application/jwt", "text/plain", "a"]),
    st.one_of(
        st.binary(max_size=60),
        st.sampled_from(
            [
                b"[" * 9_000,
                b"{}",
                b"null",
                b'{"credential_identifier": 1}',
                b"grant_type=authorization_code&client_id=wallet",
                b"grant_type=urn:ietf:params:oauth:grant-type:pre-authorized_code",
                b"client_id=wallet&redirect_uri=http://127.0.0.1:1/back&response_type=code"
                b"&code_challenge_method=S256&scope=resident&code_challenge=" + b"x" * 43,
            ]
        ),
    ),
    st.sampled_from(["DPoP", "Authorization", "Origin", "OAuth-Client-Attestation", "Accept"]),
    st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=60),
)


@given(st.lists(ODD, max_size=60))
@settings(
    max_examples=8,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_no_request_is_the_issuers_own_fault(tmp_path_factory, requests):
    async def scene(office):
        wallet = ForeignWallet(office.http)
        await wallet.scan(office.offer(needs_tx_code=False).uri)
        token = (await wallet.redeem_offer())["access_token"]
        for path, kind, body, name, value in requests:
            headers = {"Authorization": f"Bearer {token}", name: value, "Content-Type": kind}
            answer = await office.post(path, data=body, headers=headers)
            assert answer.status < 500

    more = CLIENTS + "\n[wallets]\nrequests_per_s = 0\n"
    play(tmp_path_factory.mktemp("odd"), scene, more=more)
