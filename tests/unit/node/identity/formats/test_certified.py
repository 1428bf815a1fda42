"""Issuers and verifiers that are known by certificates, in settings and at work."""

import asyncio
import base64
import shutil
from types import SimpleNamespace

import pytest
from cryptography import x509
from tests.unit.identity.verifier.certifying import certify, certify_names, found_authority
from tests.unit.identity.verifier.playing import OTHER
from tests.unit.node.identity.formats.playing import (
    Holder,
    believe,
    found_office,
    list_faults,
    opened_shop,
    play,
    write_pem,
)
from tests.unit.node.identity.issuer.playing import MEI, PASSPHRASE

from hansa.identity.faults import Fault, Unsound
from hansa.identity.verifier.certified import Roots
from hansa.kernel.crypto.address import to_text
from hansa.kernel.errors import Invalid
from hansa.node.identity.folders import SIGNING, read_keys
from hansa.node.identity.verifier.ledger import NodeRegistry
from hansa.node.identity.verifier.settings import load_settings
from hansa.node.service import wall_clock_ms

VCT = "urn:example:resident:1"
QUERY = {
    "credentials": [
        {
            "id": "resident",
            "format": "dc+sd-jwt",
            "meta": {"vct_values": [VCT]},
            "claims": [{"path": ["given_name"]}],
        }
    ]
}
NAMES = [x509.DNSName("city.example"), x509.UniformResourceIdentifier("did:web:city.example")]


@pytest.mark.parametrize(
    ("issuer", "faults"),
    [
        ("city", set()),
        ("https://city.example", set()),
        ("did:web:city.example", set()),
        ("https://town.example", {("issuer", Fault.ISSUER)}),
    ],
)
def test_an_issuer_is_known_by_roots_and_by_the_name_in_its_certificate(tmp_path, issuer, faults):
    async def scene(office, holder):
        await holder.receive(office.offer(("resident", MEI), needs_tx_code=False).uri)

        def prepare(path):
            shutil.copy(tmp_path / "office" / "roots.pem", path / "roots.pem")

        text = believe(issuer, office.url, [VCT], roots="roots.pem")
        async with opened_shop(tmp_path / "shop", QUERY, text, prepare=prepare) as counter:
            asking = counter.ask()
            await holder.present(asking.uri)
            assert list_faults(counter.report(asking)) >= faults
            assert counter.report(asking).is_accepted is not bool(faults)

    play(tmp_path, found_office(tmp_path / "office", "", names=NAMES), scene)


def test_a_ledger_accredits_the_did_in_a_certificate(tmp_path):
    now_ms = wall_clock_ms()
    network = SimpleNamespace(genesis=SimpleNamespace(network="city"))

    async def get_network():
        return network

    def find(certificate, roots, issuer=None):
        registry = NodeRegistry(SimpleNamespace(get_network=get_network), roots)
        header = {"x5c": [base64.b64encode(certificate).decode()]}
        return asyncio.run(registry.find_issuer_key(issuer, header, now_ms))

    roots = Roots([found_authority(now_ms).root])
    did = f"did:hansa:city:{to_text(bytes(32))}"
    named = certify_names(OTHER, [x509.UniformResourceIdentifier(did)], now_ms)
    assert find(named, roots) == (did, OTHER.public_key, 0)
    assert find(named, roots, did).issuer == did
    for certificate, trusted, issuer, word in (
        (named, roots, "did:hansa:city:other", "made out for no DID"),
        (named, None, None, "no roots are set"),
        (certify(OTHER, now_ms), roots, None, "made out for no DID"),
    ):
        with pytest.raises(Unsound, match=word) as caught:
            find(certificate, trusted, issuer)
        assert caught.value.fault is Fault.ISSUER


@pytest.mark.parametrize(
    ("uses", "host", "word"),
    [
        ((), "127.0.0.1", None),
        (("1.3.6.1.5.5.7.3.1",), "127.0.0.1", None),
        (("1.0.18013.5.1.6",), "", None),
        (("1.0.18013.5.1.2",), "127.0.0.1", "for something else"),
        (("1.3.6.1.5.5.7.3.4",), "", "for something else"),
    ],
)
def test_a_verifier_is_known_by_its_certificate_or_a_domain_in_it(tmp_path, uses, host, word):
    now_ms = wall_clock_ms()

    def prepare(path):
        (key,) = read_keys(path, [SIGNING], PASSPHRASE)
        made = certify_names(key, [x509.DNSName("127.0.0.1")], now_ms, uses=uses)
        write_pem(path / "chain.pem", made)

    async def scene(office, holder):
        person = Holder(holder.vault, [found_authority(now_ms).root])
        await person.receive(office.offer(("resident", MEI), needs_tx_code=False).uri)
        head = f'certificates = "chain.pem"\nhost = "{host}"\n'
        issuers = believe("city", office.url, [VCT], roots="roots.pem")

        def prepare_all(path):
            prepare(path)
            shutil.copy(tmp_path / "office" / "roots.pem", path / "roots.pem")

        shop = opened_shop(tmp_path / "shop", QUERY, issuers, head=head, prepare=prepare_all)
        async with shop as counter:
            asking = counter.ask()
            if word is not None:
                with pytest.raises(Unsound, match=word):
                    await person.ask(asking.uri)
                return
            asked = await person.present(asking.uri)
            kind = "x509_san_dns:127.0.0.1" if host else "x509_hash:"
            assert asked.request.client_id.startswith(kind)
            assert counter.report(asking).is_accepted

    play(tmp_path, found_office(tmp_path / "office", "", names=NAMES), scene)


HEAD = 'url = "https://shop.example"\nname = "Shop"\n'
QUESTION = '[[questions]]\nid = "q"\npurpose = "p"\nquery = "q.json"\n'
ISSUER = '[[issuers]]\nname = "City"\ntypes = ["t"]\n'


@pytest.mark.parametrize(
    ("text", "word"),
    [
        (HEAD + 'host = "shop.example"\n' + QUESTION, "needs certificates"),
        (HEAD + 'certificates = "c"\nhost = "x.example"\n' + QUESTION, "must be that of url"),
        (HEAD + QUESTION + ISSUER + 'id = "city"\n', "issuers.key"),
        (HEAD + QUESTION + ISSUER + 'id = "did:jwk:x"\nroots = "r.pem"\n', "issuers.key"),
    ],
)
def test_settings_that_cannot_be_are_told(tmp_path, text, word):
    path = tmp_path / "verifier.toml"
    path.write_text(text)
    with pytest.raises(Invalid) as caught:
        load_settings(path)
    assert word in caught.value.message


@pytest.mark.parametrize("content", ["", "-----BEGIN CERTIFICATE-----\n", None])
def test_a_file_without_roots_is_told(tmp_path, content):
    def prepare(path):
        if content is None:  # a certificate that is no root
            write_pem(path / "roots.pem", certify(OTHER, wall_clock_ms()))
        else:
            (path / "roots.pem").write_text(content)

    async def run():
        text = believe("city", "https://city.example", [VCT], roots="roots.pem")
        async with opened_shop(tmp_path / "shop", QUERY, text, prepare=prepare):
            raise AssertionError("it opened")

    with pytest.raises(Invalid, match=r"roots\.pem"):
        asyncio.run(run())
