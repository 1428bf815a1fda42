"""A wallet made of `@openid4vc/openid4vp` shows to our verifier what our issuer gave it."""

import pytest
from tests.authority import Authority
from tests.clients.foreign import read_token, run_foreign
from tests.unit.node.identity.formats import test_documents as documents
from tests.unit.node.identity.formats.playing import play as formats_play
from tests.unit.node.identity.holder.playing import run_counter
from tests.unit.node.identity.issuer.playing import MEI, play
from tests.unit.node.identity.shop import believe, opened

from hansa.identity.faults import Fault
from hansa.node.service import wall_clock_ms

ADULT = MEI | {"age_equal_or_over_18": True}
WANTED = {"age_equal_or_over_18": True}

wallet = run_foreign("wallet")


async def receive(office, wallet):
    """Receive a credential; returns it and its issuer."""
    offer = office.offer(("resident", ADULT), needs_tx_code=False)
    await wallet.ask_beside("scan", offer=offer.uri)
    await wallet.ask_beside("redeemCode")
    (one,) = (await wallet.ask_beside("getCredentials"))["credentials"]
    return one["credential"], read_token(one["credential"])[1]["iss"]


async def show(wallet, shop, credential, **changes):
    """Show to the shop what it asks for; returns what the wallet saw, and the shop's report."""
    asking = shop.ask()
    shown = {"credential": credential, "frame": WANTED, "changes": changes}
    told = await wallet.ask_beside("present", uri=asking.uri, **shown)
    assert told["status"] == 200
    return told, shop.report(asking)


def faults(report):
    return [each.fault for each in report.findings if each.fault]


@pytest.mark.parametrize("is_certified", [False, True], ids=["did", "x509_hash"])
def test_what_was_asked_for_is_shown_and_accepted_and_nothing_else(tmp_path, wallet, is_certified):
    """By DCQL, in a signed request, answered encrypted (`direct_post.jwt`)."""
    authority = Authority(tmp_path) if is_certified else None

    async def scene(office):
        credential, issuer = await receive(office, wallet)
        issuers = believe(issuer, office.url)
        async with opened(tmp_path / "shop", issuers, authority=authority) as shop:
            told, report = await show(wallet, shop, credential)
            prefix = "x509_hash" if is_certified else "decentralized_identifier"
            assert (told["client"], told["signer"]) == (prefix, "x5c" if is_certified else "did")
            assert told["mode"] == "direct_post.jwt"
            assert [each.text for each in report.findings if each.fault] == []
            (claims,) = report.claims["resident"]
            assert claims["age_equal_or_over_18"] is True
            assert not set(MEI) & set(claims)

    play(tmp_path, scene)


def test_what_is_not_right_is_not_accepted(tmp_path, wallet):
    async def scene(office):
        credential, issuer = await receive(office, wallet)
        async with opened(tmp_path / "shop", believe(issuer, office.url)) as shop:
            for changes, fault in (
                ({"aud": "x509_hash:another"}, Fault.AUDIENCE),
                ({"nonce": "another"}, Fault.NONCE),
                ({"iat": wall_clock_ms() // 1_000 - 3_600}, Fault.EXPIRED),
            ):
                _, report = await show(wallet, shop, credential, **changes)
                assert faults(report) == [fault]
                assert report.claims == {}
            _, report = await show(wallet, shop, credential)
            assert report.is_accepted

    play(tmp_path, scene)


def test_what_was_revoked_is_not_accepted(tmp_path, wallet):
    async def scene(office):
        credential, issuer = await receive(office, wallet)
        office.work(lambda desk: desk.revoke(1, wall_clock_ms()))
        async with opened(tmp_path / "shop", believe(issuer, office.url)) as shop:
            _, report = await show(wallet, shop, credential)
            assert faults(report) == [Fault.REVOKED]

    play(tmp_path, scene)


@pytest.mark.parametrize("is_authorised", [True, False])
def test_a_payment_is_authorised_with_the_credential(tmp_path, wallet, is_authorised):
    payment = {"type": "payment", "credential_ids": ["resident"], "amount_minor": "1250"}

    async def scene(office):
        credential, _ = await receive(office, wallet)
        with run_counter() as counter:
            asking = counter.ask(transactions=[payment])
            changes = {} if is_authorised else {"transaction_data_hashes": ["a" * 43]}
            shown = {"credential": credential, "frame": {"given_name": True}, "changes": changes}
            told = await wallet.ask_beside("present", uri=asking.uri, **shown)
            assert told["transactions"] == [payment]
            report = counter.report(asking)
            assert report.is_accepted is is_authorised
            assert faults(report) == ([] if is_authorised else [Fault.BINDING])

    play(tmp_path, scene)


def test_a_holder_may_decline(tmp_path, wallet):
    async def scene(office):
        async with opened(tmp_path / "shop", "") as shop:
            asking = shop.ask()
            assert (await wallet.ask_beside("decline", uri=asking.uri))["status"] == 200
            assert "access_denied" in shop.report(asking).findings[0].text

    play(tmp_path, scene)


def test_mobile_documents_are_received_and_shown(tmp_path, wallet):
    """By `@auth0/mdl`, for the transcript of OpenID4VP 1.0, which it is given."""

    async def scene(office, _):
        offer = office.offer(("licence", documents.LEI), needs_tx_code=False)
        await wallet.ask_beside("scan", offer=offer.uri)
        await wallet.ask_beside("redeemCode")
        (one,) = (await wallet.ask_beside("getCredentials"))["credentials"]
        async with documents.shop(tmp_path, office.url) as shop:
            for changes in ({}, {"nonce": "another"}, {"client_id": "x509_hash:another"}):
                asking = shop.ask()
                shown = {"credential": one["credential"], "changes": changes}
                await wallet.ask_beside("present", uri=asking.uri, **shown)
                report = shop.report(asking)
                if changes:
                    assert (report.claims, faults(report)[0]) == ({}, Fault.BINDING)
                else:
                    (claims,) = report.claims["licence"]
                    assert claims == {documents.NAMESPACE: {"family_name": "Lei"}}

    formats_play(tmp_path, documents.found(tmp_path), scene)
