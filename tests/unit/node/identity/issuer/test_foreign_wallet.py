"""A wallet of another make gets credentials over HTTP, in both flows, bound, batched, encrypted."""

import json
from base64 import urlsafe_b64decode
from urllib.parse import parse_qs, urlsplit

import pytest
from jwcrypto.jwk import JWK
from sd_jwt.verifier import SDJWTVerifier
from tests.unit.node.identity.issuer.foreign_wallet import ForeignWallet, Refusal, public
from tests.unit.node.identity.issuer.playing import MEI, REDIRECT, decide, play


def new_key():
    return JWK.generate(kty="EC", crv="P-256")


def find_key(issuer, header):
    """Find the key in an issuer’s did:jwk."""
    assert header["kid"] == f"{issuer}#0"
    raw = issuer.removeprefix("did:jwk:")
    return JWK(**json.loads(urlsafe_b64decode(raw + "=" * (-len(raw) % 4))))


def verify(credential, holder):
    """Verify as the working group’s own library does."""
    claims = SDJWTVerifier(credential, find_key).get_verified_payload()
    assert claims["cnf"]["jwk"]["x"] == public(holder)["x"]
    assert claims["vct"] == "urn:example:resident:1"
    return claims


def test_an_offer_leads_to_a_credential_that_others_verify(tmp_path):
    async def scene(office):
        offer = office.offer()
        wallet, key = ForeignWallet(office.http), new_key()
        await wallet.scan(offer.uri)
        await wallet.redeem_offer(offer.tx_code)
        status, body = await wallet.get_credential(key)
        assert status == 200
        claims = verify(body["credentials"][0]["credential"], key)
        assert {name: claims[name] for name in MEI} == MEI
        assert claims["exp"] - claims["iat"] == 365 * 86_400
        told = {"notification_id": body["notification_id"], "event": "credential_accepted"}
        assert await wallet.call("notification_endpoint", told) == (204, "")
        ((number, status, issued, *_),) = office.work(lambda desk: desk.list_issued(0, 10))
        assert claims["status"]["status_list"] == {"uri": status.uri, "idx": status.index}
        assert (number, issued.credential, issued.dataset) == (1, "resident", offer.datasets[0])

    play(tmp_path, scene)


def test_a_batch_gives_each_key_its_own_credential_and_place(tmp_path):
    async def scene(office):
        wallet, keys = ForeignWallet(office.http, uses_dpop=True), [new_key() for _ in range(5)]
        offer = office.offer(needs_tx_code=False)
        await wallet.scan(offer.uri)
        assert wallet.metadata["batch_credential_issuance"]["batch_size"] >= len(keys)
        await wallet.redeem_offer()
        _, body = await wallet.get_credential(*keys)
        credentials = [each["credential"] for each in body["credentials"]]
        found = [verify(each, key) for each, key in zip(credentials, keys, strict=True)]
        assert len({each["status"]["status_list"]["idx"] for each in found}) == len(keys)
        assert len({each.split("~")[1] for each in credentials}) == len(keys)  # salts differ

    play(tmp_path, scene)


def test_requests_and_answers_can_be_encrypted(tmp_path):
    async def scene(office):
        wallet, key, answers = ForeignWallet(office.http), new_key(), new_key()
        offer = office.offer(needs_tx_code=False)
        await wallet.scan(offer.uri)
        await wallet.redeem_offer()
        with pytest.raises(Refusal) as caught:
            await wallet.get_credential(key)
        assert caught.value.error == "invalid_encryption_parameters"
        status, body = await wallet.get_credential(key, encrypted_to=answers)
        assert status == 200
        assert verify(body["credentials"][0]["credential"], key)["given_name"] == "Mei"

    play(tmp_path, scene, more="\n[wallets]\nencryption = true\n")


def test_a_credential_that_is_not_ready_is_fetched_later(tmp_path):
    async def scene(office):
        wallet, key = ForeignWallet(office.http, uses_dpop=True), new_key()
        offer = office.offer(("resident", None))
        await wallet.scan(offer.uri)
        await wallet.redeem_offer(offer.tx_code)
        status, body = await wallet.get_credential(key)
        assert (status, body["interval"]) == (202, 5)
        waiting = {"transaction_id": body["transaction_id"]}
        status, body = await wallet.call("deferred_credential_endpoint", waiting)
        assert (status, body["transaction_id"]) == (202, waiting["transaction_id"])
        office.work(lambda desk: desk.complete(offer.datasets[0], MEI, 1_795_953_600_000))
        status, body = await wallet.call("deferred_credential_endpoint", waiting)
        assert status == 200
        assert verify(body["credentials"][0]["credential"], key)["family_name"] == "Tan"

    play(tmp_path, scene)


def test_an_officer_may_decline(tmp_path):
    async def scene(office):
        wallet = ForeignWallet(office.http)
        offer = office.offer(("resident", None), needs_tx_code=False)
        await wallet.scan(offer.uri)
        await wallet.redeem_offer()
        _, body = await wallet.get_credential(new_key())
        office.work(lambda desk: desk.decline(offer.datasets[0], "café", 1_795_953_600_000))
        with pytest.raises(Refusal) as caught:
            await wallet.call("deferred_credential_endpoint", body | {})
        assert caught.value.error == "credential_request_denied"
        assert caught.value.body["error_description"] == "not issued: caf?"

    play(tmp_path, scene)


def test_a_person_gives_credentials_to_a_wallet_on_the_page(tmp_path):
    async def scene(office):
        wallet = ForeignWallet(
            office.http, client_id="wallet", redirect_uri=REDIRECT, uses_dpop=True
        )
        key, offer = new_key(), office.offer()
        await wallet.scan(offer.uri)
        state = wallet.offer["grants"]["authorization_code"]["issuer_state"]
        details = [{"type": "openid_credential", "credential_configuration_id": "resident"}]
        address = await wallet.push(
            issuer_state=state, scope="", authorization_details=json.dumps(details)
        )
        wrong = f"{(int(offer.tx_code) + 1) % 10**6:06}"
        status, _, page = await decide(office, address, tx_code=wrong, decision="approve")
        assert status == 400
        assert "2 more tries" in page
        status, place, _ = await decide(office, address, tx_code=offer.tx_code, decision="approve")
        assert status == 303
        token = await wallet.redeem_code(place)
        (found,) = token["authorization_details"]
        (identifier,) = found["credential_identifiers"]
        _, body = await wallet.get_credential(key, credential_identifier=identifier)
        assert verify(body["credentials"][0]["credential"], key)["given_name"] == "Mei"
        with pytest.raises(Refusal) as caught:  # the offer is used up in the other flow, too
            await wallet.redeem_offer(offer.tx_code)
        assert caught.value.error == "invalid_grant"

    play(tmp_path, scene)


def test_a_person_may_refuse_on_the_page(tmp_path):
    async def scene(office):
        wallet = ForeignWallet(office.http, client_id="wallet", redirect_uri=REDIRECT)
        await wallet.scan(office.offer().uri)
        status, place, _ = await decide(office, await wallet.push(), decision="refuse")
        assert status == 303
        assert parse_qs(urlsplit(place).query)["error"] == ["access_denied"]

    play(tmp_path, scene)


def test_a_page_of_another_site_decides_nothing(tmp_path):
    async def scene(office):
        offer = office.offer()
        wallet = ForeignWallet(office.http, client_id="wallet", redirect_uri=REDIRECT)
        await wallet.scan(offer.uri)
        state = wallet.offer["grants"]["authorization_code"]["issuer_state"]
        address = await wallet.push(issuer_state=state)
        for origin in ("https://evil.example", "null"):
            status, place, _ = await decide(
                office, address, origin=origin, tx_code=offer.tx_code, decision="approve"
            )
            assert (status, place) == (403, "")
        status, _, _ = await decide(office, address, tx_code=offer.tx_code, decision="approve")
        assert status == 303

    play(tmp_path, scene)


def test_high_assurance_lets_in_attested_wallets_alone(tmp_path):
    maker = new_key()
    jwk = ", ".join(f'{name} = "{value}"' for name, value in public(maker).items())
    more = f'\n[makers]\n"https://maker.example" = {{ {jwk} }}\n'

    async def scene(office):
        offer = office.offer(needs_tx_code=False)
        stranger = ForeignWallet(office.http, client_id="w", uses_dpop=True)
        await stranger.scan(offer.uri)
        with pytest.raises(Refusal) as caught:
            await stranger.redeem_offer(client_id="w")
        assert caught.value.error == "invalid_client_attestation"
        known = ("https://maker.example", maker)
        wallet = ForeignWallet(office.http, client_id="w", uses_dpop=True, maker=known)
        await wallet.scan(offer.uri)
        await wallet.redeem_offer(client_id="w")
        status, _ = await wallet.get_credential(new_key())
        assert status == 200

    play(tmp_path, scene, head='profile = "haip"\n', more=more)


def test_a_token_is_of_no_use_without_its_key(tmp_path):
    async def scene(office):
        wallet = ForeignWallet(office.http, uses_dpop=True)
        await wallet.scan(office.offer(needs_tx_code=False).uri)
        await wallet.redeem_offer()
        thief = ForeignWallet(office.http, uses_dpop=True)
        thief.issuer, thief.metadata, thief.token = wallet.issuer, wallet.metadata, wallet.token
        with pytest.raises(Refusal) as caught:
            await thief.get_credential(new_key())
        assert caught.value.status == 401
        assert caught.value.headers["WWW-Authenticate"].startswith('DPoP error="invalid_token"')
        thief.uses_dpop = False
        with pytest.raises(Refusal) as caught:
            await thief.get_credential(new_key())
        assert caught.value.headers["WWW-Authenticate"] == 'Bearer error="invalid_token"'

    play(tmp_path, scene)
