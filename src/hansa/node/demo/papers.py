"""The papers of the demo's people: credentials that offices issue, holders keep and show.

Nothing of it is on the ledger but who may issue what, what was revoked, and hashes.

Source: docs/concepts/identity.md.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from hansa.contracts.identity import documents
from hansa.identity.keys.kinds import KeyKind
from hansa.identity.keys.signing import PrivateKey, load_private_key
from hansa.identity.methods.hansa import write_did
from hansa.identity.naming import ListName, write_list_url, write_type
from hansa.identity.sd_jwt.credential import Credential, issue_credential
from hansa.identity.sd_jwt.paths import Path as ClaimPath
from hansa.identity.sd_jwt.presentation import bind_sd_jwt, select_disclosures
from hansa.identity.sd_jwt.serialization import SdJwt
from hansa.identity.sd_jwt.verification import Challenge
from hansa.identity.status.reference import StatusReference
from hansa.identity.tiers import list_selective
from hansa.identity.verifier.examination import Asked
from hansa.identity.verifier.findings import Report
from hansa.identity.verifier.formats import sd_jwt
from hansa.identity.verifier.judgement import judge
from hansa.identity.verifier.registry import Registry
from hansa.node.settings import DEFAULT_HOST, DEFAULT_PORT

RESIDENT, LICENCE, CERTIFICATE = "resident", "business-licence", "training-certificate"
"""Types of credentials, as the ledger knows them."""
LISTS_URL = f"http://{DEFAULT_HOST}:{DEFAULT_PORT}/v1/identity"
LIST_NUMBER, LIST_LENGTH = 1_000, 8_192
"""Of the status lists that a day fills; an issuer's own service counts from 1."""
KEY_NAME = "desk"
VALID_S = 365 * 86_400
_TYPES = Path(__file__).parent / "types"


@dataclass(frozen=True, slots=True)
class Paper:
    """What is to be issued to somebody."""

    type: str
    claims: Mapping[str, Any]
    holder_key: PrivateKey
    place: int
    """In the issuer's status list."""


@dataclass(frozen=True, slots=True)
class Held:
    """A credential, with the key of its holder."""

    sd_jwt: SdJwt
    key: PrivateKey
    status: StatusReference

    def show(self, paths: tuple[ClaimPath, ...], challenge: Challenge, time_ms: int) -> str:
        """Present the least that shows these claims, to one verifier, once."""
        chosen = select_disclosures(self.sd_jwt, paths)
        return bind_sd_jwt(chosen, self.key, challenge, time_ms // 1_000).encode()


@dataclass(frozen=True, slots=True)
class Desk:
    """Who issues: an account of the ledger, whose document names the key that signs credentials."""

    network: str
    address: bytes
    key: PrivateKey
    draw: Callable[[int], bytes]

    @property
    def did(self) -> str:
        """Who it is to verifiers."""
        return write_did(self.network, self.address)

    def describe(self, *methods: documents.Method) -> documents.Content:
        """What its DID document says beside its account's keys; `methods` are further keys."""
        public_key = self.key.public_key.data
        assertion = int(documents.Relationship.ASSERTION)
        method = documents.Method(KEY_NAME, documents.Kind.ED25519, public_key, assertion)
        return documents.Content(methods=(method, *methods))

    def issue(self, paper: Paper, time_ms: int) -> Held:
        """Sign a credential, revocable at its place in the issuer's status list."""
        issued_s = time_ms // 1_000
        lists = write_list_url(LISTS_URL, ListName(self.address, LIST_NUMBER))
        place = StatusReference(lists, paper.place)
        credential = Credential(
            vct=write_type(self.network, paper.type),
            claims=dict(paper.claims),
            selective=list_selective(paper.claims),
            issuer=self.did,
            holder_key=paper.holder_key.public_key,
            issued_s=issued_s,
            expires_s=issued_s + VALID_S,
            status=place,
        )
        header = {"kid": f"{self.did}#{KEY_NAME}"}
        signed = issue_credential(self.key, credential, self.draw, header)
        return Held(signed, paper.holder_key, place)


def read_type(name: str) -> dict[str, Any]:
    """Read what a type of credentials is: its JSON Schema, and its display."""
    found: dict[str, Any] = msgspec.json.decode((_TYPES / f"{name}.json").read_bytes())
    return found


def load_key(seed: bytes) -> PrivateKey:
    """Make a key that signs credentials or presentations of its secret.

    It is no key of a wallet, which stays a pseudonym.
    """
    return load_private_key(KeyKind.ED25519, seed)


async def examine(
    presented: str, challenge: Challenge, subject: str, registry: Registry, time_ms: int
) -> Report:
    """Examine what somebody shows, and judge it by what the ledger says of its issuer."""
    asked = Asked(subject, challenge, True, (), b"")  # noqa: FBT003 - a field
    examined = await sd_jwt.examine(presented, asked, registry, time_ms)
    findings = examined.findings
    if examined.judged is None:
        return Report(tuple(findings), {})
    findings = [*findings, *await judge(examined.judged, registry, time_ms)]
    return Report(tuple(findings), {subject: [examined.judged.claims]})
