"""A wallet of another make shows to a verifier what an issuer gave it, all over HTTP."""

import json
import secrets
from base64 import urlsafe_b64decode
from urllib.parse import parse_qs, urlsplit

import pytest
from jwcrypto.jwe import JWE
from jwcrypto.jwk import JWK
from jwcrypto.jws import JWS
from sd_jwt.holder import SDJWTHolder
from tests.unit.node.identity.issuer.foreign_wallet import ForeignWallet, Refusal
from tests.unit.node.identity.issuer.playing import MEI, play
from tests.unit.node.identity.shop import believe, opened

from hansa.identity.faults import Fault
from hansa.kernel.errors import NotFound, Unavailable
from hansa.node.identity.verifier.pinned import fetch_list
from hansa.node.service import wall_clock_ms

ADULT = MEI | {"age_equal_or_over_18": True}


def decode_part(part):
    return json.loads(urlsafe_b64decode(part + "=" * (-len(part) % 4)))


class ForeignHolder:
    """The wallet’s side of OpenID4VP 1.0, written from the specification."""

    def __init__(self, http):
        self.http = http

    async def scan(self, uri, *, uses_post=True):
        query = {name: value for name, (value,) in parse_qs(urlsplit(uri).query).items()}
        assert query["request_uri_method"] == "post"
        nonce = secrets.token_urlsafe(16) if uses_post else None
        method, form = ("POST", {"wallet_nonce": nonce}) if uses_post else ("GET", None)
        async with self.http.request(method, query["request_uri"], data=form) as response:
            assert response.status == 200
            assert response.content_type == "application/oauth-authz-req+jwt"
            token = await response.text()
        header, request = map(decode_part, token.split(".")[:2])
        assert header["typ"] == "oauth-authz-req+jwt"
        prefix, _, did = request["client_id"].partition(":")
        assert (prefix, did) == ("decentralized_identifier", header["kid"].partition("#")[0])
        JWS().deserialize(token, JWK(**decode_part(did.removeprefix("did:jwk:"))))
        assert query["client_id"] == request["client_id"]
        assert request.get("wallet_nonce") == nonce
        return request

    def present(self, request, credential, key, disclosed):
        holder = SDJWTHolder(credential)
        holder.create_presentation(disclosed, request["nonce"], request["client_id"], key, "ES256")
        return holder.sd_jwt_presentation

    async def answer(self, request, **presented):
        token = {name: [each] for name, each in presented.items()}
        return await self.post(request, {"state": request["state"], "vp_token": token})

    async def post(self, request, told):
        metadata = request["client_metadata"]
        (jwk,) = metadata["jwks"]["keys"]
        enc = metadata["encrypted_response_enc_values_supported"][0]
        header = {"alg": jwk["alg"], "enc": enc, "kid": jwk["kid"]}
        jwe = JWE(json.dumps(told), protected=json.dumps(header))
        jwe.add_recipient(JWK(**jwk))
        return await self.send(request, {"response": jwe.serialize(compact=True)})

    async def send(self, request, form):
        async with self.http.post(request["response_uri"], data=form) as response:
            body = await response.json()
            if response.status != 200:
                raise Refusal(response, body)
            return body


async def receive(office, claims=None):
    """Receive a credential; returns it, its key and its issuer."""
    wallet, key = ForeignWallet(office.http), JWK.generate(kty="EC", crv="P-256")
    await wallet.scan(office.offer(("resident", claims or ADULT), needs_tx_code=False).uri)
    await wallet.redeem_offer()
    _, body = await wallet.get_credential(key)
    credential = body["credentials"][0]["credential"]
    return credential, key, decode_part(credential.split(".")[1])["iss"]


@pytest.mark.parametrize("uses_post", [True, False])
def test_what_was_asked_for_is_shown_and_accepted_and_nothing_else(tmp_path, uses_post):
    async def scene(office):
        credential, key, issuer = await receive(office)
        async with opened(tmp_path / "shop", believe(issuer, office.url)) as shop:
            asking, holder = shop.ask(), ForeignHolder(office.http)
            request = await holder.scan(asking.uri, uses_post=uses_post)
            assert shop.report(asking) is None
            shown = holder.present(request, credential, key, {"age_equal_or_over_18": True})
            assert await holder.answer(request, resident=shown) == {}
            report = shop.report(asking)
            assert [each.text for each in report.findings if each.fault] == []
            assert report.is_accepted
            (claims,) = report.claims["resident"]
            assert claims["age_equal_or_over_18"] is True
            assert "given_name" not in claims
            with pytest.raises(Refusal) as caught:  # one request, one answer
                await holder.answer(request, resident=shown)
            assert caught.value.status == 404

    play(tmp_path, scene)


def test_what_was_revoked_is_not_accepted(tmp_path):
    async def scene(office):
        credential, key, issuer = await receive(office)
        office.work(lambda desk: desk.revoke(1, wall_clock_ms()))
        async with opened(tmp_path / "shop", believe(issuer, office.url)) as shop:
            report = await show(office, shop, credential, key)
            assert [each.fault for each in report.findings if each.fault] == [Fault.REVOKED]
            assert report.claims == {}

    play(tmp_path, scene)


async def show(office, shop, credential, key):
    asking, holder = shop.ask(), ForeignHolder(office.http)
    request = await holder.scan(asking.uri)
    shown = holder.present(request, credential, key, {"age_equal_or_over_18": True})
    await holder.answer(request, resident=shown)
    return shop.report(asking)


def test_who_is_under_age_does_not_show_what_was_asked_for(tmp_path):
    async def scene(office):
        young = MEI | {"age_equal_or_over_18": False}
        credential, key, issuer = await receive(office, young)
        async with opened(tmp_path / "shop", believe(issuer, office.url)) as shop:
            report = await show(office, shop, credential, key)
            assert [each.fault for each in report.findings if each.fault] == [Fault.TYPE]

    play(tmp_path, scene)


def test_issuers_that_are_not_believed_are_told(tmp_path):
    async def scene(office):
        credential, key, issuer = await receive(office)
        stranger = "did:key:z6MkhaXgBZDvotDkL5257faiztiGiC2QtKLGpbnnEGta2doK"
        async with opened(tmp_path / "a", believe(stranger, office.url)) as shop:
            report = await show(office, shop, credential, key)
            assert Fault.ISSUER in [each.fault for each in report.findings]
        async with opened(tmp_path / "b", believe(issuer, office.url, '["urn:x"]')) as shop:
            report = await show(office, shop, credential, key)
            faults = [each.fault for each in report.findings if each.fault]
            assert faults == [Fault.ACCREDITATION]
        async with opened(tmp_path / "c", believe(issuer, "https://other.example")) as shop:
            report = await show(office, shop, credential, key)
            assert [each.fault for each in report.findings if each.fault] == [Fault.STATUS]

    play(tmp_path, scene)


def test_a_status_list_that_cannot_be_had_leaves_the_session_open(tmp_path):
    is_down = [True]

    async def scene(office):
        async def fetch(uri):
            if is_down.pop():
                raise Unavailable("the network is down")
            return await fetch_list(office.http, uri)

        credential, key, issuer = await receive(office)
        text = believe(issuer, office.url)
        async with opened(tmp_path / "shop", text, fetch) as shop:
            asking, holder = shop.ask(), ForeignHolder(office.http)
            request = await holder.scan(asking.uri)
            shown = holder.present(request, credential, key, {"age_equal_or_over_18": True})
            with pytest.raises(Refusal) as caught:
                await holder.answer(request, resident=shown)
            assert caught.value.status == 503
            is_down.append(False)
            await holder.answer(request, resident=shown)
            assert shop.report(asking).is_accepted
            assert (await show(office, shop, credential, key)).is_accepted  # the list is kept

    play(tmp_path, scene)


def test_a_wallet_may_decline(tmp_path):
    async def scene(office):
        async with opened(tmp_path / "shop", "") as shop:
            asking, holder = shop.ask(), ForeignHolder(office.http)
            request = await holder.scan(asking.uri)
            told = {"error": "access_denied", "state": request["state"]}
            assert await holder.send(request, told) == {}
            report = shop.report(asking)
            assert not report.is_accepted
            assert "access_denied" in report.findings[0].text

    play(tmp_path, scene)


@pytest.mark.parametrize(
    "form", [{}, {"response": "x"}, {"state": "x", "vp_token": "{}"}, {"error": "x", "state": "y"}]
)
def test_what_is_no_answer_leaves_the_session_open(tmp_path, form):
    async def scene(office):
        credential, key, issuer = await receive(office)
        async with opened(tmp_path / "shop", believe(issuer, office.url)) as shop:
            asking, holder = shop.ask(), ForeignHolder(office.http)
            request = await holder.scan(asking.uri)
            with pytest.raises(Refusal) as caught:
                await holder.send(request, form)
            assert (caught.value.status, caught.value.error) == (400, "invalid_request")
            shown = holder.present(request, credential, key, {"age_equal_or_over_18": True})
            await holder.answer(request, resident=shown)
            assert shop.report(asking).is_accepted

    play(tmp_path, scene)


def test_there_is_no_request_but_those_that_were_asked(tmp_path):
    async def scene(office):
        async with opened(tmp_path / "shop", "") as shop:
            url = shop.work(lambda folder: folder.settings.url)
            async with office.http.get(f"{url}/requests/none") as response:
                assert response.status == 404
            with pytest.raises(NotFound):
                shop.work(lambda folder: folder.ask("none", wall_clock_ms()))
            with pytest.raises(NotFound):
                shop.work(lambda folder: folder.get_report("none", wall_clock_ms()))

    play(tmp_path, scene)
