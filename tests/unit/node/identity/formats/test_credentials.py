"""W3C credentials from an office to a wallet to a shop, all over HTTP, in each way of securing."""

import asyncio
import json

import pytest
from tests.unit.node.identity.formats.playing import (
    believe,
    found_office,
    list_faults,
    opened_shop,
    play,
)
from tests.unit.node.identity.issuer.playing import MEI

from hansa.identity.bbs_2023.suite import CRYPTOSUITE as BBS
from hansa.identity.data_integrity.contexts import load_pinned
from hansa.identity.data_integrity.proofs import Expected, verify_proofs
from hansa.identity.faults import Fault, Unsound
from hansa.identity.methods.did import read_did
from hansa.identity.methods.local import resolve_did_jwk, resolve_did_key, write_did_key
from hansa.identity.wallet.conversation import post_form
from hansa.identity.wallet.formats.holding import Showing
from hansa.identity.wallet.formats.table import find_format
from hansa.identity.wallet.holdings import describe
from hansa.identity.wallet.presenting import write_answer
from hansa.kernel.errors import Invalid
from hansa.node.identity.issuer.settings import load_settings
from hansa.node.service import wall_clock_ms

TYPE = "ResidentCredential"
WHOLE = "https://www.w3.org/2018/credentials#VerifiableCredential"
EXPANDED = f"https://www.w3.org/ns/credentials/undefined-term#{TYPE}"
WAYS = {
    "ecdsa-rdfc-2019": ("ldp_vc", 'cryptosuite = "ecdsa-rdfc-2019"'),
    "eddsa-rdfc-2022": ("ldp_vc", 'cryptosuite = "eddsa-rdfc-2022"'),
    "eddsa-jcs-2022": ("ldp_vc", 'cryptosuite = "eddsa-jcs-2022"'),
    "jwt": ("jwt_vc_json", ""),
    BBS: ("ldp_vc", f'cryptosuite = "{BBS}"\nneeds_binding = false\nrevocable = false'),
}
BOUND = [each for each in WAYS if each != BBS]


def write_kind(way, more=""):
    form, line = WAYS[way]
    return (
        f'\n[[credentials]]\nid = "w3c"\nformat = "{form}"\ntype = "{TYPE}"\nname = "Resident"\n'
        f'schema = "resident.schema.json"\n{line}\n{more}'
    )


def write_query(way, *paths, types=(TYPE,), is_bound=True):
    claims = [{"path": ["credentialSubject", *path]} for path in paths or (("given_name",),)]
    query = {"id": "w3c", "format": WAYS[way][0], "meta": {"type_values": [list(types)]}}
    query["claims"] = claims
    if not is_bound:
        query["require_cryptographic_holder_binding"] = False
    return {"credentials": [query]}


def found(tmp_path, way, more=""):
    return found_office(tmp_path / "office", write_kind(way, more), is_certified=False)


async def receive(office, holder, claims=MEI):
    (kept,) = await holder.receive(office.offer(("w3c", claims), needs_tx_code=False).uri)
    return kept


def shop(tmp_path, office, kept, query, name="shop", types=(TYPE,)):
    issuer = describe(kept.holding).claims["issuer"]
    return opened_shop(tmp_path / name, query, believe(issuer, office.url, list(types)))


async def judge(counter, holder):
    asking = counter.ask()
    await holder.present(asking.uri)
    return counter.report(asking)


def find_key(method, use):
    did = read_did(method.partition("#")[0])
    resolve = resolve_did_jwk if did.method == "jwk" else resolve_did_key
    return resolve(did).find_key(method, use)


@pytest.mark.parametrize("way", BOUND)
def test_a_credential_goes_from_the_office_to_the_wallet_to_the_shop(tmp_path, way):
    async def scene(office, holder):
        kept = await receive(office, holder)
        claims = describe(kept.holding).claims
        assert claims["type"] == ["VerifiableCredential", TYPE]
        subject = {"id": write_did_key(kept.key.public_key), **MEI}
        assert claims["credentialSubject"] == subject
        async with shop(tmp_path, office, kept, write_query(way)) as counter:
            report = await judge(counter, holder)
            assert list_faults(report) == set()
            assert report.claims["w3c"][0]["credentialSubject"] == subject
            (shown,) = holder.vault.contents.shown  # the history tells that all was shown
            assert ("credentialSubject",) in shown.disclosure.paths
            assert shown.type == TYPE
        for act, fault in (("suspend", Fault.SUSPENDED), ("revoke", Fault.REVOKED)):
            office.work(lambda desk, act=act: getattr(desk, act)(1, wall_clock_ms()))
            async with shop(tmp_path, office, kept, write_query(way), act) as counter:
                assert list_faults(await judge(counter, holder)) == {("status", fault)}

    play(tmp_path, found(tmp_path, way), scene)


def found_all(tmp_path):
    """Found an office that writes in all ways, each under the name of its way."""
    kinds = "".join(write_kind(way).replace('id = "w3c"', f'id = "{way}"') for way in WAYS)
    return found_office(tmp_path / "office", kinds, is_certified=False)


def test_metadata_tell_of_a_credential_as_its_format_asks(tmp_path):
    async def scene(office, _):
        async with office.http.get(f"{office.url}/.well-known/openid-credential-issuer") as answer:
            told = (await answer.json())["credential_configurations_supported"]
        for way, (form, _line) in WAYS.items():
            algorithm = "ES256" if way == "jwt" else way
            assert told[way]["format"] == form
            assert told[way]["credential_signing_alg_values_supported"] == [algorithm]
            definition = told[way]["credential_definition"]
            assert definition["type"] == ["VerifiableCredential", TYPE]
            assert ("@context" in definition) is (way != "jwt")
            assert ("proof_types_supported" in told[way]) is (way != BBS)

    play(tmp_path, found_all(tmp_path), scene)


@pytest.mark.parametrize("way", ["ecdsa-rdfc-2019", "eddsa-jcs-2022"])
def test_a_status_list_is_a_credential_that_anybody_can_verify(tmp_path, way):
    async def scene(office, holder):
        kept = await receive(office, holder)
        claims = describe(kept.holding).claims
        entries = claims["credentialStatus"]
        assert [each["statusPurpose"] for each in entries] == ["revocation", "suspension"]
        for entry in entries:
            async with office.http.get(entry["statusListCredential"]) as answer:
                assert answer.status == 200
                assert answer.content_type == "application/vc"
                served = json.loads(await answer.read())
            assert served["issuer"] == claims["issuer"]
            verify_proofs(served, load_pinned(), Expected(wall_clock_ms()), find_key)
        for path in ("/status/p256/revocation/9", "/status/rsa/revocation/1", "/status/p256/x/1"):
            assert (await office.get(path)).status == 404

    play(tmp_path, found(tmp_path, way), scene)


@pytest.mark.parametrize("way", ["eddsa-jcs-2022", "jwt", BBS])
def test_findings_say_what_is_wrong(tmp_path, way):
    async def scene(office, holder):
        kept = await receive(office, holder)
        is_bound = way != BBS
        query = write_query(way, is_bound=is_bound)
        async with shop(tmp_path, office, kept, query, "a", types=("Other",)) as counter:
            faults = list_faults(await judge(counter, holder))
            assert faults == {("accreditation", Fault.ACCREDITATION)}
        stranger = believe("did:key:z6MkhaXgBZDvotDkL5257faiztiGiC2QtKLGpbnnEGta2doK", "x:", [TYPE])
        stranger = stranger.replace("x:/status/", "https://x.example/status/")
        async with opened_shop(tmp_path / "b", query, stranger) as counter:
            assert ("issuer", Fault.ISSUER) in list_faults(await judge(counter, holder))
        other = write_query(way, types=("Other",), is_bound=is_bound)
        async with shop(tmp_path, office, kept, other, "c") as counter:
            assert (await holder.ask(counter.ask().uri)).proposal.missing

    play(tmp_path, found(tmp_path, way), scene)


@pytest.mark.parametrize(
    ("way", "types"),
    [
        ("eddsa-jcs-2022", [WHOLE, EXPANDED]),
        ("jwt", [WHOLE, TYPE]),
    ],
)
def test_types_may_be_asked_for_as_written_or_expanded(tmp_path, way, types):
    async def scene(office, holder):
        kept = await receive(office, holder)
        async with shop(tmp_path, office, kept, write_query(way, types=types)) as counter:
            assert list_faults(await judge(counter, holder)) == set()

    play(tmp_path, found(tmp_path, way), scene)


def test_of_bbs_only_what_is_asked_for_is_shown_and_no_two_showings_are_alike(tmp_path):
    async def scene(office, holder):
        kept = await receive(office, holder)
        assert kept.key is None
        claims = describe(kept.holding).claims
        assert claims["validFrom"].endswith("T00:00:00Z")
        async with shop(tmp_path, office, kept, write_query(BBS, is_bound=False)) as counter:
            first, second = [await judge(counter, holder) for _ in range(2)]
            assert list_faults(first) == list_faults(second) == set()
            (shown,) = first.claims["w3c"]
            assert shown["credentialSubject"] == {"given_name": "Mei"}
            assert shown["issuer"] == claims["issuer"]
            asked = await holder.ask(counter.ask().uri)
            (view,) = asked.views
            assert view.shown["credentialSubject"] == {"given_name": "Mei"}
            assert view.hidden == {
                "credentialSubject": {"family_name": "Tan", "birthdate": "1990-01-01"}
            }
        async with shop(tmp_path, office, kept, write_query(BBS), "bound") as counter:
            assert (await holder.ask(counter.ask().uri)).proposal.missing  # no key binds it

    play(tmp_path, found(tmp_path, BBS), scene)


def test_claims_that_no_credential_can_hold_are_refused(tmp_path):
    async def scene(office, _):
        (tmp_path / "office" / "resident.schema.json").write_text("{}")
        wrong = [(way, {"id": "did:web:x.example"}, "id is not") for way in WAYS]
        wrong += [(way, {"a b": 1}, "a b") for way in ("eddsa-rdfc-2022", BBS)]  # it is no term
        for way, claims, word in wrong:
            with pytest.raises(Unsound, match=word):
                office.offer((way, claims), needs_tx_code=False)

    play(tmp_path, found_all(tmp_path), scene)


def test_an_office_may_have_words_of_its_own(tmp_path):
    url = "https://city.example/contexts/v1"
    words = {"@context": {"@protected": True, TYPE: "https://city.example/t#R"}}
    for name in MEI:
        words["@context"][name] = f"https://city.example/t#{name}"
    context = json.dumps(words)
    way = "ecdsa-rdfc-2019"
    where = found_office(
        tmp_path / "office",
        write_kind(way, f'context = "{url}"\n'),
        head=f'contexts = {{ "{url}" = "city.jsonld" }}\n',
        is_certified=False,
    )
    (tmp_path / "office" / "city.jsonld").write_text(context)

    async def scene(office, holder):
        kept = await receive(office, holder)
        issuer = describe(kept.holding).claims["issuer"]
        text = believe(issuer, office.url, [TYPE])
        query = write_query(way)
        head = f'contexts = {{ "{url}" = "city.jsonld" }}\n'

        def prepare(path):
            (path / "city.jsonld").write_text(context)

        shops = {"knows": (head, prepare), "not": ("", lambda _: None)}
        for name, (first, make) in shops.items():
            async with opened_shop(
                tmp_path / name, query, text, head=first, prepare=make
            ) as counter:
                faults = {fault for _, fault in list_faults(await judge(counter, holder))}
                assert faults == (set() if name == "knows" else {Fault.CONTEXT, Fault.TYPE})

    play(tmp_path, where, scene)


def test_what_was_changed_or_is_anothers_is_found(tmp_path):
    """A holder who forges: each change has its own finding."""
    form = find_format("ldp_vc")

    async def scene(office, holder):
        kept = await receive(office, holder)
        other = await receive(office, holder)
        document = json.loads(kept.holding.credential)
        async with shop(tmp_path, office, kept, write_query("ecdsa-rdfc-2019")) as counter:

            async def send(change):
                asking = counter.ask()
                asked = await holder.ask(asking.uri)
                request = asked.request
                text, key = change(dict(document))
                return await present(counter, holder, asking, request, text, key, form)

            def rename(changed):
                changed["credentialSubject"] = changed["credentialSubject"] | {"given_name": "Eve"}
                return changed, kept.key

            def steal(changed):
                return changed, other.key

            assert ("signature", Fault.SIGNATURE) in await send(rename)
            assert await send(steal) == {("binding", Fault.SIGNATURE)}

    play(tmp_path, found(tmp_path, "ecdsa-rdfc-2019"), scene)


async def present(counter, holder, asking, request, document, key, form):
    """Present a document that the wallet would not."""
    showing = Showing(request, (), key, (), wall_clock_ms(), holder.carrier.draw)
    shown = form.present(json.dumps(document), showing)

    def converse():
        yield post_form(request.response_uri, write_answer(request, {"w3c": [shown]}))

    await asyncio.to_thread(holder.carrier.carry, converse())
    return list_faults(counter.report(asking))


HEAD = 'url = "https://issuer.example"\nname = "City"\n'


@pytest.mark.parametrize(
    ("head", "way", "more", "word"),
    [
        ("", "jwt", 'cryptosuite = "eddsa-jcs-2022"\n', "cryptosuite is for"),
        ("", "jwt", 'context = "https://x.example"\n', "one of contexts"),
        ("", "jwt", 'key_id = "did:web:x#1"\n', "with a did"),
        ('did = "did:web:x"\nkey_id = "did:web:x#1"\n', "eddsa-jcs-2022", "", "key_id"),
    ],
)
def test_settings_that_cannot_be_are_told(tmp_path, head, way, more, word):
    path = tmp_path / "issuer.toml"
    path.write_text(HEAD + head + write_kind(way, more))
    with pytest.raises(Invalid) as caught:
        load_settings(path)
    assert word in caught.value.message


@pytest.mark.parametrize(
    ("line", "word"),
    [
        ("", "must be one of"),
        ('cryptosuite = "rsa-2018"', "must be one of"),
        (f'cryptosuite = "{BBS}"', "linkable"),
    ],
)
def test_suites_that_cannot_be_are_told(tmp_path, line, word):
    path = tmp_path / "issuer.toml"
    kind = write_kind("eddsa-jcs-2022").replace('cryptosuite = "eddsa-jcs-2022"', line)
    path.write_text(HEAD + kind)
    with pytest.raises(Invalid) as caught:
        load_settings(path)
    assert word in caught.value.message


@pytest.mark.parametrize(
    ("way", "paths", "unasked"),
    [
        ("jwt", [("given_name",)], [("credentialSubject",)]),
        ("jwt", [(name,) for name in MEI], []),
        (BBS, [("given_name",)], []),
    ],
)
def test_what_is_shown_though_nobody_asked_for_it_is_told(tmp_path, way, paths, unasked):
    async def scene(office, holder):
        kept = await receive(office, holder)
        query = write_query(way, *paths, is_bound=way != BBS)
        async with shop(tmp_path, office, kept, query) as counter:
            asked = await holder.ask(counter.ask().uri)
            assert list(asked.views[0].unasked) == unasked

    play(tmp_path, found(tmp_path, way), scene)
