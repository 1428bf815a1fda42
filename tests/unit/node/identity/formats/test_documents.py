"""Mobile documents from an office to a wallet to a shop, all over HTTP."""

import base64
import json
import shutil

import pytest
from cryptography import x509
from tests.unit.identity.verifier.certifying import found_authority
from tests.unit.node.identity.formats.playing import (
    believe,
    found_office,
    list_faults,
    opened_shop,
    play,
    write_pem,
)

from hansa.identity.encoding.base64url import decode_base64url
from hansa.identity.encoding.cbor import TAG_DATE, TAG_TIME, CBORTag
from hansa.identity.faults import Fault, Unsound
from hansa.identity.keys.kinds import KeyKind
from hansa.identity.keys.signing import load_private_key
from hansa.identity.mdoc.documents import decode_issued, decode_security_object
from hansa.identity.wallet.holdings import describe
from hansa.kernel.errors import Invalid
from hansa.node.identity.issuer.settings import load_settings
from hansa.node.service import wall_clock_ms

DOC_TYPE, NAMESPACE = "mo.city.licence.1", "mo.city.1"
KIND = f"""
[[credentials]]
id = "licence"
format = "mso_mdoc"
type = "{DOC_TYPE}"
namespace = "{NAMESPACE}"
name = "Licence"
schema = "licence.schema.json"
"""
SCHEMA = {
    "type": "object",
    "properties": {
        "family_name": {"type": "string"},
        "birth_date": {"type": "string", "format": "date"},
        "made": {"type": "string", "format": "date-time"},
        "portrait": {"type": "string", "contentEncoding": "base64"},
        "privileges": {
            "type": "array",
            "items": {"properties": {"since": {"type": "string", "format": "date"}}},
        },
    },
    "additionalProperties": False,
}
LEI = {
    "family_name": "Lei",
    "birth_date": "1990-01-01",
    "made": "2026-01-01T00:00:00.5Z",
    "portrait": base64.b64encode(b"\xff\xd8").decode(),
    "privileges": [{"since": "2020-02-02", "code": 1}],
}
QUERY = {
    "credentials": [
        {
            "id": "licence",
            "format": "mso_mdoc",
            "meta": {"doctype_value": DOC_TYPE},
            "claims": [{"path": [NAMESPACE, "family_name"]}],
        }
    ]
}


def found(tmp_path, **more):
    url = found_office(tmp_path / "office", KIND, **more)
    (tmp_path / "office" / "licence.schema.json").write_text(json.dumps(SCHEMA))
    return url


def shop(tmp_path, url, name="shop", types=(DOC_TYPE,), query=QUERY, root=None):
    def prepare(path):
        shutil.copy(tmp_path / "office" / "roots.pem", path / "roots.pem")
        if root is not None:
            write_pem(path / "roots.pem", root)

    issuers = believe("city", url, list(types), roots="roots.pem")
    return opened_shop(tmp_path / name, query, issuers, prepare=prepare)


async def receive(office, holder, claims=LEI):
    offered = office.offer(("licence", claims), needs_tx_code=False)
    return await holder.receive(offered.uri)


def test_a_document_goes_from_the_office_to_the_wallet_to_the_shop(tmp_path):
    async def scene(office, holder):
        async with office.http.get(f"{office.url}/.well-known/openid-credential-issuer") as answer:
            told = (await answer.json())["credential_configurations_supported"]["licence"]
        assert (told["format"], told["doctype"]) == ("mso_mdoc", DOC_TYPE)
        assert told["credential_signing_alg_values_supported"] == [-7, -9]
        assert told["cryptographic_binding_methods_supported"] == ["cose_key"]
        (kept,) = await receive(office, holder)
        assert describe(kept.holding).claims[NAMESPACE] == LEI | {
            "made": "2026-01-01T00:00:00Z",
            "portrait": "_9g",
        }
        async with shop(tmp_path, office.url) as counter:
            asking = counter.ask()
            await holder.present(asking.uri)
            report = counter.report(asking)
            assert list_faults(report) == set()
            assert report.claims == {"licence": [{NAMESPACE: {"family_name": "Lei"}}]}
            office.work(lambda desk: desk.revoke(1, wall_clock_ms()))
        async with shop(tmp_path, office.url, "later") as counter:
            asking = counter.ask()
            await holder.present(asking.uri)
            assert list_faults(counter.report(asking)) == {("status", Fault.REVOKED)}

    play(tmp_path, found(tmp_path), scene)


def test_a_document_has_dates_moments_and_bytes_as_cbor_does(tmp_path):
    async def scene(office, holder):
        (kept,) = await receive(office, holder)
        issued = decode_issued(decode_base64url(kept.holding.credential, "it"), "it")
        elements = issued.elements[NAMESPACE]
        assert elements["birth_date"] == CBORTag(TAG_DATE, "1990-01-01")
        assert elements["made"] == CBORTag(TAG_TIME, "2026-01-01T00:00:00Z")
        assert elements["portrait"] == b"\xff\xd8"
        assert elements["privileges"] == [{"since": CBORTag(TAG_DATE, "2020-02-02"), "code": 1}]
        signed = decode_security_object(issued.issuer_auth.payload, "it")
        assert signed.device_key == kept.key.public_key
        assert signed.status.uri == f"{office.url}/status/1"

    play(tmp_path, found(tmp_path), scene)


def test_findings_say_what_a_document_lacks(tmp_path):
    async def scene(office, holder):
        await receive(office, holder)
        stranger = found_authority(wall_clock_ms(), load_private_key(KeyKind.P256, b"\x77" * 32))
        async with shop(tmp_path, office.url, "a", root=stranger.root) as counter:
            asking = counter.ask()
            await holder.present(asking.uri)
            report = counter.report(asking)
            assert list_faults(report) >= {("issuer", Fault.ISSUER)}
            assert any("no authority that is trusted" in each.text for each in report.findings)
        async with shop(tmp_path, office.url, "b", types=("org.other",)) as counter:
            asking = counter.ask()
            await holder.present(asking.uri)
            assert list_faults(counter.report(asking)) == {("accreditation", Fault.ACCREDITATION)}
        other = json.loads(json.dumps(QUERY).replace(DOC_TYPE, "mo.city.other.1"))
        async with shop(tmp_path, office.url, "c", query=other) as counter:
            asked = await holder.ask(counter.ask().uri)
            assert asked.proposal.missing

    play(tmp_path, found(tmp_path), scene)


def test_an_issuer_whose_certificate_is_not_for_documents_is_told(tmp_path):
    async def scene(office, holder):
        await receive(office, holder)
        async with shop(tmp_path, office.url) as counter:
            asking = counter.ask()
            await holder.present(asking.uri)
            report = counter.report(asking)
            assert ("signature", Fault.KEY) in list_faults(report)
            assert any("is not for documents" in each.text for each in report.findings)

    names = [x509.DNSName("city.example")]
    play(tmp_path, found(tmp_path, names=names), scene)


@pytest.mark.parametrize(
    ("claims", "word"),
    [({}, "at least one thing"), (LEI | {"portrait": "%"}, "base64"), ({"age": 3}, "age")],
)
def test_claims_that_no_document_can_hold_are_refused(tmp_path, claims, word):
    async def scene(office, _):
        with pytest.raises(Unsound, match=word):
            office.offer(("licence", claims), needs_tx_code=False)

    play(tmp_path, found(tmp_path), scene)


@pytest.mark.parametrize(
    ("head", "more", "word"),
    [
        ("", "", "needs certificates"),
        ('certificates = "chain.pem"\n', "needs_binding = false\n", "bound to a key"),
        ("", 'format = "dc+sd-jwt"\n', "namespace is for"),
        ("", 'format = "vcf"\n', "format"),
    ],
)
def test_settings_of_documents_that_cannot_be_are_told(tmp_path, head, more, word):
    kind = KIND if "format" not in more else KIND.replace('format = "mso_mdoc"\n', "")
    text = f'{head}url = "https://issuer.example"\nname = "City"\n{kind}{more}'
    path = tmp_path / "issuer.toml"
    path.write_text(text)
    with pytest.raises(Invalid) as caught:
        load_settings(path)
    assert word in caught.value.message
