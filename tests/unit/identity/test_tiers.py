"""Tiers off the ledger: what ties a presentation to a wallet; what outsiders cannot find out."""

from __future__ import annotations

import hashlib
import hmac

import pytest
from tests.disclosing import HOLDER, ISSUER, NOW_S, STRANGER, counted
from tests.world import MINUTE_MS, key, make_genesis, open_world

from hansa.contracts import wallets
from hansa.contracts.identity import tiers as contract
from hansa.contracts.wallets import Category
from hansa.engine.storage import FileStorage
from hansa.engine.store import MemoryStore
from hansa.identity.dcql.matching import Candidate, match
from hansa.identity.dcql.queries import read_query
from hansa.identity.encoding.base64url import decode_base64url, encode_base64url
from hansa.identity.faults import Unsound
from hansa.identity.jose.jws import decode_jws
from hansa.identity.sd_jwt.credential import Credential, issue_credential
from hansa.identity.sd_jwt.opening import open_claims
from hansa.identity.sd_jwt.presentation import bind_sd_jwt, open_issued, select_disclosures
from hansa.identity.sd_jwt.verification import Challenge
from hansa.identity.tiers import (
    END_GRID_MS,
    Intent,
    Recorded,
    check_presentation,
    compute_lift_end,
    compute_nullifier,
    compute_pairwise_subject,
    compute_presentation_hash,
    compute_presentation_nonce,
    list_selective,
    read_pairwise_subject,
)
from hansa.kernel.calendar import DAY_MS
from hansa.kernel.crypto.address import to_text
from hansa.kernel.crypto.hashing import crypto_profile

NORTH, SOUTH = key("north").address, key("south").address
ANN, BEN = key("ann").address, key("ben").address
SECRET = b"\x07" * 32
GENESIS = b"\x09" * 32
DIGEST = crypto_profile("sha256").digest
PERSON = "12345678"
EXPIRES_MS = NOW_S * 1_000 + 3_600_000
VERIFIER = "decentralized_identifier:did:hansa:city:north"


def issue(person=PERSON, **more):
    subjects = {
        to_text(each): compute_pairwise_subject(SECRET, person, each) for each in (NORTH, SOUTH)
    }
    claims = {"given_name": "Ana", "age_over_18": True, "pairwise_subjects": subjects, **more}
    credential = Credential(
        vct="urn:city:resident",
        claims=claims,
        selective=list_selective(claims),
        holder_key=HOLDER.public_key,
        issued_s=NOW_S,
    )
    return issue_credential(ISSUER, credential, counted())


def ask(operator):
    paths = [["pairwise_subjects", to_text(operator)], ["age_over_18"]]
    return read_query(
        {
            "credentials": [
                {
                    "id": "tier",
                    "format": "dc+sd-jwt",
                    "meta": {"vct_values": ["urn:city:resident"]},
                    "claims": [{"path": path} for path in paths],
                }
            ]
        }
    ).credentials[0]


def present(operator, nonce, sd_jwt=None, signer=HOLDER):
    """Show what the operator asks for, as a wallet would choose it."""
    sd_jwt = sd_jwt or issue()
    types = frozenset({"urn:city:resident"})
    candidate = Candidate("1", "dc+sd-jwt", types, open_issued(sd_jwt).claims, is_bound=True)
    found = match(ask(operator), candidate)
    selected = select_disclosures(sd_jwt, found.paths)
    return bind_sd_jwt(selected, signer, Challenge(VERIFIER, nonce), NOW_S)


def nonce_of(
    wallet=ANN, operator=NORTH, expires_ms=EXPIRES_MS, genesis=GENESIS, category=Category.III
):
    intent = Intent(wallet, operator, category, expires_ms)
    return compute_presentation_nonce(genesis, intent, DIGEST)


def record(presentation, **changes):
    nullifier = compute_nullifier(
        GENESIS, compute_pairwise_subject(SECRET, PERSON, NORTH), Category.III, DIGEST
    )
    shown = compute_presentation_hash(GENESIS, presentation, DIGEST)
    found = Recorded(ANN, NORTH, Category.III, nullifier, shown, EXPIRES_MS)
    return found._replace(**changes)


def read_shown(sd_jwt):
    payload = decode_jws(sd_jwt.jwts[0], "it").decode_claims("it")
    return open_claims(payload, sd_jwt.disclosures).claims


def test_an_operator_sees_the_name_towards_itself_and_no_other():
    shown = present(NORTH, nonce_of())
    claims = read_shown(shown)
    assert claims["pairwise_subjects"] == {
        to_text(NORTH): compute_pairwise_subject(SECRET, PERSON, NORTH)
    }
    assert "given_name" not in claims
    assert to_text(SOUTH) not in "".join(
        decode_base64url(each, "it").decode() for each in shown.disclosures
    )
    assert read_pairwise_subject(claims, NORTH) == claims["pairwise_subjects"][to_text(NORTH)]
    with pytest.raises(Unsound, match="shows no pairwise_subjects/hansa1"):
        read_pairwise_subject(claims, SOUTH)


@pytest.mark.parametrize("value", [PERSON, "", encode_base64url(b"short"), 7, None, {}])
def test_a_name_that_no_secret_made_is_refused(value):
    with pytest.raises(Unsound):
        read_pairwise_subject({"pairwise_subjects": {to_text(NORTH): value}}, NORTH)


def test_the_nonce_commits_to_network_wallet_operator_category_and_expiry():
    nonces = {
        nonce_of(),
        nonce_of(wallet=BEN),
        nonce_of(operator=SOUTH),
        nonce_of(expires_ms=EXPIRES_MS + 1),
        nonce_of(genesis=bytes(32)),
        nonce_of(category=Category.I),
    }
    assert len(nonces) == 6


def test_the_nullifier_is_of_network_person_operator_and_category():
    subjects = [
        compute_pairwise_subject(SECRET, person, operator)
        for person in (PERSON, "87654321")
        for operator in (NORTH, SOUTH)
    ]
    found = {
        compute_nullifier(genesis, subject, category, DIGEST)
        for genesis in (GENESIS, bytes(32))
        for subject in subjects
        for category in Category
    }
    assert len(found) == 2 * 4 * 4


def test_a_secret_of_another_length_is_refused():
    with pytest.raises(Unsound, match="32 bytes"):
        compute_pairwise_subject(b"short", PERSON, NORTH)


def test_an_auditor_finds_that_a_kept_presentation_is_the_one_on_the_ledger():
    kept = present(NORTH, nonce_of()).encode()
    assert check_presentation(kept, record(kept), GENESIS, DIGEST) == []


@pytest.mark.parametrize(
    ("changes", "finding"),
    [
        ({"presentation_hash": bytes(32)}, "its hash is not the one on the ledger"),
        ({"wallet": BEN}, "its nonce differs"),
        ({"presented_until_ms": EXPIRES_MS + 1}, "its nonce differs"),
        ({"category": Category.II}, "not that of its person and category"),
        ({"nullifier": bytes(32)}, "not that of its person and category"),
        ({"operator": SOUTH}, "shows no pairwise_subjects/hansa1"),
    ],
)
def test_an_auditor_finds_what_was_shown_for_something_else(changes, finding):
    kept = present(NORTH, nonce_of()).encode()
    findings = check_presentation(kept, record(kept, **changes), GENESIS, DIGEST)
    assert any(finding in text for text in findings), findings


def test_an_auditor_finds_that_little_was_asked_for_and_a_great_category_given():
    """The operator has the person's name, and so can make the nullifier of any category."""
    kept = present(NORTH, nonce_of(category=Category.III)).encode()
    subject = compute_pairwise_subject(SECRET, PERSON, NORTH)
    nullifier = compute_nullifier(GENESIS, subject, Category.I, DIGEST)
    recorded = record(kept, category=Category.I, nullifier=nullifier)
    (finding,) = check_presentation(kept, recorded, GENESIS, DIGEST)
    assert "its nonce differs" in finding


def test_an_auditor_finds_that_another_key_signed():
    kept = present(NORTH, nonce_of(), signer=STRANGER).encode()
    (finding,) = check_presentation(kept, record(kept), GENESIS, DIGEST)
    assert "signature" in finding
    kept = present(NORTH, nonce_of())._replace(key_binding="").encode()
    (finding,) = check_presentation(kept, record(kept), GENESIS, DIGEST)
    assert "no key binding" in finding
    (finding,) = check_presentation("x", record("x"), GENESIS, DIGEST)
    assert finding


def test_the_end_of_a_lift_tells_little_of_the_credentials():
    now_ms = NOW_S * 1_000
    ends = {compute_lift_end(now_ms + 300 * DAY_MS + n, now_ms, 366) for n in range(0, 10**7, 997)}
    assert len(ends) == 1
    (end_ms,) = ends
    assert now_ms < end_ms <= now_ms + 300 * DAY_MS
    assert end_ms % END_GRID_MS == 0
    assert compute_lift_end(now_ms + 3_000 * DAY_MS, now_ms, 366) <= now_ms + 366 * DAY_MS
    soon_ms = compute_lift_end(now_ms + 2 * DAY_MS, now_ms, 366)
    assert now_ms < soon_ms <= now_ms + 2 * DAY_MS
    assert compute_lift_end(now_ms + 1, now_ms, 366) <= now_ms  # nothing is left of it


@pytest.mark.parametrize("days", [3, 10, 20, 27, 40, 60, 365])
def test_rounding_the_end_of_a_lift_takes_away_less_than_it_leaves(days):
    """Whenever somebody asks: also in the last moment before four weeks, or a day, are full."""
    for hours in range(0, 28 * 24, 7):
        now_ms = END_GRID_MS * 700 + hours * 3_600_000 - 1
        left_ms = compute_lift_end(now_ms + days * DAY_MS, now_ms, 366) - now_ms
        assert days * DAY_MS / 2 <= left_ms <= days * DAY_MS


# --- what outsiders can tell ----------------------------------------------------------------------

PEOPLE = [f"{number:08}" for number in range(12_340_000, 12_350_000)]


@pytest.fixture(scope="module")
def ledger(tmp_path_factory):
    """One person at two operators, another one at one of them, and all that a node keeps."""
    folder = tmp_path_factory.mktemp("ledger")
    store = MemoryStore()
    world = open_world(FileStorage(folder), make_genesis(), store)
    genesis, digest = world.network.genesis_hash, world.network.digest
    until_ms = compute_lift_end(world.time_ms + 300 * DAY_MS, world.time_ms, 366)
    for person, name, operator in (
        (PERSON, "ann", "north"),
        (PERSON, "ben", "south"),
        ("12340001", "cleo", "south"),
    ):
        wallet, keeper = key(name).address, key(operator).address
        expires_ms = world.time_ms + MINUTE_MS
        intent = Intent(wallet, keeper, Category.III, expires_ms)
        nonce = compute_presentation_nonce(genesis, intent, digest)
        shown = present(keeper, nonce, issue(person)).encode()
        subject = compute_pairwise_subject(SECRET, person, keeper)
        commands = (
            wallets.Open(wallet, keeper, Category.IV),
            contract.Raise(
                wallet,
                keeper,
                Category.III,
                compute_nullifier(genesis, subject, Category.III, digest),
                compute_presentation_hash(genesis, shown, digest),
                expires_ms,
                until_ms,
            ),
        )
        assert world.do(operator, *commands) == ""
        world.time_ms += 2_000
    kept = b"".join(part for entry in store.iterate_prefix(b"") for part in entry)
    world.chain.close()
    kept += b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())
    committed = [result.committed or {} for result in world.results]
    lifts = {
        name: rows[contract.Lift.key(key(name).address)]
        for name, rows in zip(("ann", "ben", "cleo"), committed, strict=True)
    }
    return genesis, digest, kept, lifts


def list_guesses(genesis, digest, person, secrets):
    """All that an outsider can compute of a person: without the issuer's secret, or with one."""
    for operator in (NORTH, SOUTH):
        subjects = [person, hashlib.sha256(person.encode()).hexdigest()]
        subjects += [compute_pairwise_subject(secret, person, operator) for secret in secrets]
        raw = hmac.digest(operator, person.encode(), hashlib.sha256)
        subjects += [encode_base64url(raw), encode_base64url(digest(operator + person.encode()))]
        for subject in subjects:
            yield digest(subject.encode())
            yield compute_nullifier(genesis, subject, Category.III, digest)


def guess(found, secrets):
    genesis, digest, kept, _ = found
    stands = {kept[at : at + 32] for at in range(len(kept) - 31)}
    return {
        person
        for person in PEOPLE
        if any(each in stands for each in list_guesses(genesis, digest, person, secrets))
    }


def test_nobody_is_found_by_trying_all_persons(ledger):
    genesis = ledger[0]
    assert guess(ledger, [bytes(32), genesis, NORTH, SOUTH]) == set()


def test_who_has_the_issuers_secret_finds_them(ledger):
    """Or the attack would prove nothing."""
    assert guess(ledger, [SECRET]) == {PERSON, "12340001"}


def test_two_operators_wallets_of_one_person_have_no_more_in_common_than_of_two(ledger):
    *_, lifts = ledger

    def shared(one, other):
        pieces = {lifts[one][at : at + 6] for at in range(len(lifts[one]) - 5)}
        return {piece for piece in pieces if piece in lifts[other]}

    assert set(lifts) == {"ann", "ben", "cleo"}
    assert shared("ann", "ben") <= shared("ann", "cleo")
