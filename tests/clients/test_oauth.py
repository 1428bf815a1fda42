"""`oauth4webapi`, which takes nothing but what the standards say, at our issuer's server."""

from urllib.parse import parse_qs, urlsplit

import pytest
from tests.clients.foreign import ForeignError, run_foreign
from tests.unit.node.identity.issuer.playing import REDIRECT, decide, play

client = run_foreign("oauth")


async def authorize(office, client):
    """Have a person agree on the issuer's page; returns where the browser was sent."""
    offer = office.offer()
    (place,) = parse_qs(urlsplit(offer.uri).query)["credential_offer_uri"]
    async with office.http.get(place) as response:
        state = (await response.json())["grants"]["authorization_code"]["issuer_state"]
    asked = {"redirectUri": REDIRECT, "scope": "resident", "issuerState": state}
    address = await client.ask_beside("authorize", issuer=office.url, **asked)
    status, returned, _ = await decide(office, address, tx_code=offer.tx_code, decision="approve")
    assert status == 303
    return returned


def test_a_pushed_request_leads_to_a_bound_token(tmp_path, client):
    """RFC 8414, 9126, 7636, 9207, 9449: metadata, PAR, PKCE, the issuer's name, DPoP."""

    async def scene(office):
        returned = await authorize(office, client)
        other = returned.replace("iss=http", "iss=https")
        with pytest.raises(ForeignError, match="iss"):
            await client.ask_beside("redeem", returned=other)
        with pytest.raises(ForeignError, match="invalid_grant"):
            await client.ask_beside("redeem", returned=returned, verifier="a" * 43)

    play(tmp_path, scene)


def test_a_bound_token_opens_with_its_key_alone(tmp_path, client):
    async def scene(office):
        returned = await authorize(office, client)
        token = await client.ask_beside("redeem", returned=returned)
        assert token["token_type"] == "dpop"
        asked = {"url": f"{office.url}/credential", "body": {}}
        found = await client.ask_beside("ask", **asked)
        assert (found["status"], found["told"]["error"]) == (400, "invalid_credential_request")
        found = await client.ask_beside("ask", **asked, key="another")
        assert found["status"] == 401
        (challenge,) = found["challenges"]
        assert (challenge["scheme"], challenge["parameters"]["error"]) == ("dpop", "invalid_token")

    play(tmp_path, scene)
