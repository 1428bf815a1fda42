"""Identity over HTTP: what is answered, to whom, and proofs that are verified."""

from __future__ import annotations

import asyncio

import msgspec
import pytest
from tests.api.served import make_town
from tests.identified import (
    GIVEN,
    HANDED_ON,
    HOLDER,
    ISSUER,
    LIST,
    NORTH,
    PAPER,
    ROOT,
    SOUTH,
    play_identity,
)
from tests.world import START_MS, key

from hansa.contracts import accounts
from hansa.contracts.identity.consent import Consent
from hansa.identity.encoding.timestamp import write_timestamp
from hansa.identity.methods.documents import read_document
from hansa.kernel.authority import ALL_PURPOSES, AccountKey
from hansa.kernel.crypto.address import to_text
from hansa.kernel.encoding import encode
from hansa.node.api.handlers.identity import dids, registries
from hansa.sdk.identity.proofs import verify_rows
from hansa.sdk.identity.questions import (
    QUESTIONS_MAX,
    ConsentQuestion,
    DidQuestion,
    StandingQuestion,
)

DID = f"did:hansa:test:{to_text(ISSUER)}"
LIST_PATH = f"/v1/identity/status-lists/{to_text(LIST[0])}/{LIST[1]}"
NOBODY = to_text(key("nobody").address)
PROOFS = "/v1/identity/proofs"
MSGPACK = {"Content-Type": "application/msgpack"}


@pytest.fixture(scope="module")
def town(tmp_path_factory):
    found = make_town(tmp_path_factory.mktemp("town"))
    found.between_ms = play_identity(found.world)
    return found


@pytest.fixture
def get(town):
    """Get the JSON of a path: status and body."""

    def call(path, caller="anyone"):
        found = []

        async def use(client, _):
            response = await client.get(path, headers=town.sign_in(caller))
            raw = await response.read()
            is_json = "json" in response.content_type
            found.append((response.status, msgspec.json.decode(raw) if is_json else raw))

        town.serve(use)
        return found[0]

    return call


def test_a_did_is_resolved(get):
    code, found = get(f"/v1/identity/dids/{DID}")
    document, metadata = found["didDocument"], found["didDocumentMetadata"]
    assert (code, document["id"], metadata["versionId"]) == (200, DID, "3")
    assert found["didResolutionMetadata"] == {"contentType": "application/did"}
    assert document["service"][0]["serviceEndpoint"] == "https://issuer.example"
    names = {each["id"] for each in document["verificationMethod"]}
    own = {f"{DID}#{to_text(key(name).address)}" for name in ("issuer", "desk")}
    assert own < names
    read = read_document(document, DID)
    assert set(read.keys) == names
    assert len(document["assertionMethod"]) == 3, "the holder's key counts, by delegation"


def test_a_did_is_resolved_as_it_was(get, town):
    moment = write_timestamp(town.between_ms)
    code, found = get(f"/v1/identity/dids/{DID}?version_time={moment}")
    assert (code, "service" in found["didDocument"]) == (200, False)
    assert found["didDocumentMetadata"]["versionId"] == "1"
    assert "nextUpdate" in found["didDocumentMetadata"]
    for early in (write_timestamp(START_MS - 1000), "1969-01-01T00:00:00Z"):
        code, found = get(f"/v1/identity/dids/{DID}?version_time={early}")
        assert (code, found["title"]) == (404, "NOT_FOUND")


@pytest.mark.parametrize(
    ("did", "code"),
    [
        (f"did:hansa:test:{NOBODY}", 404),
        (f"did:hansa:other:{to_text(ISSUER)}", 400),
        ("did:web:example.com", 400),
        ("did:hansa:test:hansa1qqqq", 400),
        ("nonsense", 400),
        (f"{DID}?version_time=yesterday-or-the-day-before", 400),
    ],
)
def test_what_is_no_did_of_this_network_is_told_so(get, did, code):
    assert get(f"/v1/identity/dids/{did}")[0] == code


def test_a_wallet_without_a_document_is_nobody_to_others(own_town):
    ada = key("ada").address
    keys = (AccountKey(ada, int(ALL_PURPOSES)),)
    own_town.world.do("ada", accounts.Create(ada, keys, 1))
    raw = encode([DidQuestion(ada)])

    async def use(client, _):
        found = {}
        for caller in ("anyone", "other_operator", "operator", "customer", "regulator"):
            headers = own_town.sign_in(caller)
            response = await client.get(
                f"/v1/identity/dids/did:hansa:test:{to_text(ada)}", headers=headers
            )
            proof = await client.post(PROOFS, data=raw, headers={**MSGPACK, **headers})
            found[caller] = (response.status, proof.status)
        shown, hidden = (200, 200), (404, 404)
        assert list(found.values()) == [hidden, hidden, shown, shown, shown]

    own_town.serve(use)


def test_types_and_their_versions_are_told(get):
    assert get("/v1/identity/schemas")[1]["types"][0]["name"] == "resident"
    newest, first = (get(f"/v1/identity/schemas/resident/{n}")[1] for n in (0, 1))
    assert (newest["version"], newest["retired_ms"], first["latest"]) == (2, None, 2)
    assert first["retired_ms"] > 0
    assert get("/v1/identity/schemas/resident/3")[0] == 404
    assert get("/v1/identity/schemas/other/0")[0] == 404


def test_standing_is_told_at_a_time(get, town):
    path = f"/v1/identity/accreditations/{to_text(ISSUER)}/resident"
    found = get(f"{path}?time_ms={town.world.time_ms}")[1]
    assert (found["is_accredited"], len(found["chain"])) == (True, 2)
    assert found["chain"][1]["granter"] is None
    early = get(f"{path}?time_ms={START_MS}")[1]
    assert (early["is_accredited"], early["fault"], early["chain"]) == (False, "not_yet", [])
    other = get(f"/v1/identity/accreditations/{NOBODY}/resident")[1]
    assert (other["fault"], other["at"]) == ("never", NOBODY)


def test_status_lists_are_told_whole_and_by_entry(get):
    told = get(LIST_PATH)[1]
    assert (told["length"], told["bits"], told["version"]) == (20_000, 2, 3)
    content = get(f"{LIST_PATH}/entries")[1]
    assert (len(content), content[0] >> 6, content[1] >> 2 & 3) == (5_000, 1, 2)
    entries = [get(f"{LIST_PATH}/entries/{n}")[1]["status"] for n in (0, 3, 5, 9_000)]
    assert entries == ["valid", "invalid", "suspended", "invalid"]
    assert get(f"{LIST_PATH}/entries/20000")[0] == 404
    assert get(f"{LIST_PATH}8")[0] == 404


def test_evidence_is_told_with_notes(get):
    path = f"/v1/identity/evidence/{to_text(NORTH)}"
    found = get(f"{path}/{PAPER.hex()}")[1]
    assert [each["cosigner"] for each in found["signed"]] == [to_text(SOUTH)]
    assert [each["hash"] for each in found["notes"]] == [ROOT.hex()]
    assert get(f"{path}/{ROOT.hex()}")[1]["revoked_ms"] > 0
    assert get(f"{path}/{'ff' * 32}")[0] == 404


@pytest.mark.parametrize(
    ("consent", "statuses"),
    [
        # anyone, customer ada, operator north, operator south, south as a member, the bank
        (GIVEN, (401, 404, 200, 404, 200, 200)),
        (HANDED_ON, (401, 404, 200, 200, 200, 200)),
        (bytes(32), (401, 404, 404, 404, 404, 404)),
    ],
)
def test_a_consent_is_shown_to_its_parties(town, consent, statuses):
    callers = ("anyone", "customer", "operator", "other_operator", "member", "central_bank")
    raw = encode([ConsentQuestion(consent)])

    async def use(client, _):
        for caller, status in zip(callers, statuses, strict=True):
            headers = town.sign_in(caller)
            url = f"/v1/identity/consents/{consent.hex()}"
            response = await client.get(url, headers=headers)
            proof = await client.post(PROOFS, data=raw, headers={**MSGPACK, **headers})
            assert (caller, response.status, proof.status) == (caller, status, status)
            if status == 200:
                found = await response.json()
                assert found["state"] == "in_force"
                assert found["chain"][-1]["holder"] == to_text(HOLDER)
                rows = verify_rows(town.world.network, await proof.read())
                assert rows.get(Consent, consent).holder == HOLDER

    town.serve(use)


def test_proofs_of_many_answers_are_verified(town):
    questions = [DidQuestion(ISSUER), DidQuestion(ISSUER, town.between_ms), DidQuestion(HOLDER)]
    questions.append(StandingQuestion(ISSUER, "resident", town.world.time_ms))

    async def use(client, _):
        response = await client.post(PROOFS, data=encode(questions), headers=MSGPACK)
        rows = verify_rows(town.world.network, await response.read())
        now, before, holder, standing = (question.read(rows) for question in questions)
        assert (now.resolution.version, before.resolution.version) == (3, 1)
        assert now.delegates == (holder.resolution,)
        assert standing.fault is None

    town.serve(use)


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\xc1",
        encode([]),
        encode([["did", b"short"]]),
        encode([["other", bytes(32)]]),
        encode([DidQuestion(ISSUER)] * (QUESTIONS_MAX + 1)),
        b"\x91" * 2_000,
    ],
)
def test_malformed_questions_are_the_callers_fault(town, raw):
    async def use(client, _):
        response = await client.post(PROOFS, data=raw, headers=MSGPACK)
        assert response.status == 400
        told = (await response.json())["detail"]
        assert "questions" in told

    town.serve(use)


def test_answers_are_of_the_types_that_the_document_describes(town):
    values = {
        "did": DID,
        "name": "resident",
        "version": "1",
        "issuer": to_text(ISSUER),
        "number": str(LIST[1]),
        "index": "3",
        "notary": to_text(NORTH),
        "evidence_hash": PAPER.hex(),
        "consent_id": GIVEN.hex(),
    }

    async def use(client, _):
        for route in (*dids.ROUTES, *registries.ROUTES):
            url = route.path.format(**values)
            response = await client.get(url, headers=town.sign_in("regulator"))
            raw = await response.read()
            assert (route.path, response.status) == (route.path, 200)
            if not isinstance(route.answer, str):
                assert msgspec.json.encode(msgspec.json.decode(raw, type=route.answer)) == raw
            await asyncio.sleep(0)

    town.serve(use)
