"""What an office tells of its types, and of whose keys it asks for an attestation."""

import base64
import hashlib
import json
import time

import pytest
from jwcrypto.jwk import JWK
from tests.unit.node.identity.formats.playing import found_office, play
from tests.unit.node.identity.issuer.foreign_wallet import (
    ForeignWallet,
    Refusal,
    public,
    sign,
)
from tests.unit.node.identity.issuer.playing import MEI
from tests.unit.node.identity.issuer.playing import play as play_office

from hansa.identity.wallet.holdings import describe

KIND = """
[[credentials]]
id = "card"
type = "URL/types/card"
name = "Karte"
locale = "de"
schema = "card.schema.json"
"""
SCHEMA = {
    "description": "A card",
    "properties": {"given_name": {"type": "string", "title": "Vorname"}, "family_name": {}},
}


def test_a_type_is_told_at_its_own_address_and_its_hash_is_signed(tmp_path):
    url = found_office(tmp_path / "office", KIND, is_certified=False)
    settings = tmp_path / "office" / "issuer.toml"
    settings.write_text(settings.read_text().replace("URL/", f"{url}/"))
    (tmp_path / "office" / "card.schema.json").write_text(json.dumps(SCHEMA))

    async def scene(office, holder):
        (kept,) = await holder.receive(office.offer(("card", MEI), needs_tx_code=False).uri)
        claims = describe(kept.holding).claims
        async with office.http.get(claims["vct"]) as answer:
            assert answer.status == 200
            assert answer.content_type == "application/json"
            content = await answer.read()
        digest = base64.b64encode(hashlib.sha256(content).digest()).decode()
        assert claims["vct#integrity"] == f"sha256-{digest}"
        assert json.loads(content) == {
            "vct": f"{url}/types/card",
            "name": "Karte",
            "description": "A card",
            "display": [{"locale": "de", "name": "Karte"}],
            "claims": [
                {
                    "path": ["given_name"],
                    "sd": "always",
                    "display": [{"locale": "de", "label": "Vorname"}],
                },
                {"path": ["family_name"], "sd": "always"},
            ],
        }
        assert (await office.get("/types/other")).status == 404
        (plain,) = await holder.receive(office.offer(("resident", MEI), needs_tx_code=False).uri)
        assert "vct#integrity" not in describe(plain.holding).claims  # a URN has no address

    play(tmp_path, url, scene)


def new_key():
    return JWK.generate(kty="EC", crv="P-256")


class AttestedWallet(ForeignWallet):
    """Sends an attestation of its keys, by this maker, with each proof."""

    def __init__(self, http, maker, name="maker"):
        super().__init__(http)
        self.key_maker, self.name = maker, name

    async def make_proof(self, key):
        _, body = await self.fetch("POST", self.metadata["nonce_endpoint"])
        now = int(time.time())
        attestation = sign(
            self.key_maker,
            {"typ": "key-attestation+jwt", "kid": self.name},
            {
                "iat": now,
                "exp": now + 60,
                "nonce": body["c_nonce"],
                "attested_keys": [public(key)],
            },
        )
        header = {
            "typ": "openid4vci-proof+jwt",
            "jwk": public(key),
            "key_attestation": attestation,
        }
        claims = {"aud": self.issuer, "iat": now, "nonce": body["c_nonce"]}
        return sign(key, header, claims)


def test_keys_must_be_attested_where_the_settings_say_so(tmp_path):
    maker = new_key()
    jwk = ", ".join(f'{name} = "{value}"' for name, value in public(maker).items())
    kind = (
        '\n[[credentials]]\nid = "card"\ntype = "urn:card"\nname = "Card"\n'
        f"needs_attestation = true\n[makers]\nmaker = {{ {jwk} }}\n"
    )

    async def scene(office):
        wallets = {
            "none": ForeignWallet(office.http),
            "a stranger's": AttestedWallet(office.http, new_key()),
            "of nobody": AttestedWallet(office.http, maker, "nobody"),
        }
        for wallet in wallets.values():
            await wallet.scan(office.offer(("card", MEI), needs_tx_code=False).uri)
            told = wallet.metadata["credential_configurations_supported"]["card"]
            assert told["proof_types_supported"]["jwt"]["key_attestations_required"] == {}
            await wallet.redeem_offer()
            with pytest.raises(Refusal) as caught:
                await wallet.get_credential(new_key(), name="card")
            assert caught.value.error == "invalid_proof"
        known = AttestedWallet(office.http, maker)
        await known.scan(office.offer(("card", MEI), needs_tx_code=False).uri)
        await known.redeem_offer()
        status, _ = await known.get_credential(new_key(), name="card")
        assert status == 200

    play_office(tmp_path, scene, more=kind)
