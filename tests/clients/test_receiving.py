"""A wallet made of `@openid4vc/openid4vci` gets credentials of our issuer, in every way."""

from urllib.parse import parse_qs, urlsplit

import pytest
from tests.clients.foreign import ForeignError, read_token, run_foreign
from tests.unit.node.identity.issuer.playing import MEI, REDIRECT, decide, play

from hansa.identity.keys.jwk import read_jwk
from hansa.identity.methods.did import read_did
from hansa.identity.methods.documents import Relationship
from hansa.identity.methods.local import resolve_did_jwk
from hansa.identity.sd_jwt.credential import verify_credential
from hansa.identity.sd_jwt.serialization import decode_sd_jwt
from hansa.node.service import wall_clock_ms

wallet = run_foreign("wallet")


def read(credential, key):
    """Verify a credential as its holder would; returns its claims."""
    header, claims = read_token(credential)
    document = resolve_did_jwk(read_did(claims["iss"]))
    issuer = document.find_key(header["kid"], Relationship.ASSERTION)
    found = verify_credential(decode_sd_jwt(credential), issuer, wall_clock_ms() // 1_000).claims
    assert read_jwk(found["cnf"]["jwk"]) == read_jwk(
        {name: key[name] for name in ("kty", "crv", "x", "y")}
    )
    return found


@pytest.mark.parametrize("dpop", [False, True])
def test_a_code_with_a_transaction_code_leads_to_a_credential(tmp_path, wallet, dpop):
    async def scene(office):
        offer = office.offer()
        told = await wallet.ask_beside("scan", offer=offer.uri, dpop=dpop)
        assert told["metadata"]["originalDraftVersion"] == "V1"
        wrong = f"{(int(offer.tx_code) + 1) % 10**6:06}"
        with pytest.raises(ForeignError, match="invalid_grant"):
            await wallet.ask_beside("redeemCode", txCode=wrong)
        token = await wallet.ask_beside("redeemCode", txCode=offer.tx_code)
        assert token["token_type"] == ("DPoP" if dpop else "Bearer")
        body = await wallet.ask_beside("getCredentials")
        (one,) = body["credentials"]
        found = read(one["credential"], body["keys"][0])
        assert {name: found[name] for name in MEI} == MEI
        told = {"notificationId": body["notification_id"], "event": "credential_accepted"}
        await wallet.ask_beside("notify", **told)
        with pytest.raises(ForeignError, match="invalid_notification_id"):
            await wallet.ask_beside("notify", **told | {"notificationId": "another"})

    play(tmp_path, scene)


def test_it_verifies_what_our_issuer_says_of_itself(tmp_path, wallet):
    async def scene(office):
        asked = {"offer": office.offer().uri, "signed": True}
        metadata = (await wallet.ask_beside("scan", **asked))["metadata"]
        assert metadata["signedCredentialIssuer"]["signer"]["method"] == "did"
        assert metadata["credentialIssuer"]["credential_issuer"] == office.url

    play(tmp_path, scene)


def test_an_offer_is_good_once(tmp_path, wallet):
    async def scene(office):
        offer = office.offer(needs_tx_code=False)
        await wallet.ask_beside("scan", offer=offer.uri)
        await wallet.ask_beside("redeemCode")
        with pytest.raises(ForeignError, match="invalid_grant"):
            await wallet.ask_beside("redeemCode")
        with pytest.raises(ForeignError, match="invalid_nonce"):
            await wallet.ask_beside("getCredentials", nonce="of my own")

    play(tmp_path, scene)


@pytest.mark.parametrize("decision", ["approve", "refuse"])
def test_a_person_decides_on_the_issuers_page(tmp_path, wallet, decision):
    """A pushed request, PKCE and DPoP; the page asks for the transaction code."""

    async def scene(office):
        offer = office.offer()
        await wallet.ask_beside("scan", offer=offer.uri, dpop=True)
        asked = {"clientId": "wallet", "redirectUri": REDIRECT, "scope": "resident"}
        address = await wallet.ask_beside("authorize", **asked)
        assert set(parse_qs(urlsplit(address).query)) == {"client_id", "request_uri"}
        status, url, _ = await decide(office, address, tx_code=offer.tx_code, decision=decision)
        assert status == 303
        if decision == "refuse":
            assert "error=access_denied" in url
            return
        with pytest.raises(ForeignError, match="iss"):
            await wallet.ask_beside("redeemRedirect", url=url.replace("iss=http", "iss=https"))
        token = await wallet.ask_beside("redeemRedirect", url=url)
        assert token["token_type"] == "DPoP"
        body = await wallet.ask_beside("getCredentials")
        assert read(body["credentials"][0]["credential"], body["keys"][0])["given_name"] == "Mei"

    play(tmp_path, scene)


def test_a_batch_is_for_as_many_keys(tmp_path, wallet):
    async def scene(office):
        await wallet.ask_beside("scan", offer=office.offer(needs_tx_code=False).uri, dpop=True)
        await wallet.ask_beside("redeemCode")
        body = await wallet.ask_beside("getCredentials", count=5)
        found = [
            read(each["credential"], key)
            for each, key in zip(body["credentials"], body["keys"], strict=True)
        ]
        assert len({each["status"]["status_list"]["idx"] for each in found}) == 5

    play(tmp_path, scene)


def test_what_is_not_ready_is_fetched_later(tmp_path, wallet):
    async def scene(office):
        offer = office.offer(("resident", None), needs_tx_code=False)
        await wallet.ask_beside("scan", offer=offer.uri, dpop=True)
        await wallet.ask_beside("redeemCode")
        body = await wallet.ask_beside("getCredentials")
        waiting = {"transactionId": body["transaction_id"]}
        again = await wallet.ask_beside("getDeferred", **waiting)
        assert again == {"transaction_id": body["transaction_id"], "interval": 5}
        office.work(lambda desk: desk.complete(offer.datasets[0], MEI, wall_clock_ms()))
        ready = await wallet.ask_beside("getDeferred", **waiting)
        assert read(ready["credentials"][0]["credential"], body["keys"][0])["family_name"] == "Tan"
        with pytest.raises(ForeignError, match="invalid_transaction_id"):
            await wallet.ask_beside("getDeferred", **waiting)

    play(tmp_path, scene)


def test_requests_and_answers_are_encrypted(tmp_path, wallet):
    async def scene(office):
        offer = office.offer(needs_tx_code=False)
        await wallet.ask_beside("scan", offer=offer.uri, encrypted=True)
        await wallet.ask_beside("redeemCode")
        body = await wallet.ask_beside("getCredentials")
        assert read(body["credentials"][0]["credential"], body["keys"][0])["given_name"] == "Mei"
        await wallet.ask_beside("scan", offer=office.offer(needs_tx_code=False).uri)
        await wallet.ask_beside("redeemCode")
        with pytest.raises(ForeignError, match="invalid_encryption_parameters"):
            await wallet.ask_beside("getCredentials")

    play(tmp_path, scene, more="\n[wallets]\nencryption = true\n")


def test_high_assurance_lets_in_wallets_whose_maker_is_known(tmp_path, wallet):
    """HAIP 1.0: the maker's attestation, and tokens that are bound to a key."""
    maker = wallet.ask("getMaker")
    jwk = ", ".join(f'{name} = "{maker[name]}"' for name in ("kty", "crv", "x", "y"))

    async def scene(office):
        offer = office.offer(needs_tx_code=False)
        await wallet.ask_beside("scan", offer=offer.uri, dpop=True)
        with pytest.raises(ForeignError, match="invalid_client_attestation"):
            await wallet.ask_beside("redeemCode")
        await wallet.ask_beside("scan", offer=offer.uri, dpop=True, attested=True)
        await wallet.ask_beside("redeemCode")
        body = await wallet.ask_beside("getCredentials")
        assert read(body["credentials"][0]["credential"], body["keys"][0])["given_name"] == "Mei"

    more = f'\n[makers]\n"https://maker.example" = {{ {jwk} }}\n'
    play(tmp_path, scene, head='profile = "haip"\n', more=more)
