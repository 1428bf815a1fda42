"""Sessions: a verifier asks, a wallet fetches the request and answers, the verifier has a report.

Each session has its own addresses, nonce and, unless the verifier says otherwise, its own key to
which the answer is encrypted. It takes one answer. In the flow on one device, who began it must
come back with the code that the wallet was given, so that nobody answers in another's place.

Source: OpenID4VP 1.0, sections 8.2, 8.3, 8.6 and 13.3.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from hansa.identity.data_integrity.contexts import Contexts, load_pinned
from hansa.identity.dcql.matching import Candidate, find_gaps
from hansa.identity.dcql.queries import CredentialQuery, Query, read_query, write_query
from hansa.identity.encoding.base64url import decode_base64url, encode_base64url
from hansa.identity.encoding.canonical_json import canonicalize
from hansa.identity.encoding.strict_json import decode_object
from hansa.identity.faults import Fault, Unsound
from hansa.identity.jose.jwe import decrypt_jwe
from hansa.identity.keys.jwk import compute_thumbprint
from hansa.identity.keys.kinds import KeyKind
from hansa.identity.keys.signing import PrivateKey, generate_private_key, load_private_key
from hansa.identity.mdoc.transcripts import create_redirect_transcript
from hansa.identity.sd_jwt.verification import Challenge
from hansa.identity.store import Kind, Store, decode, hash_key
from hansa.identity.verifier.examination import Asked, Examined
from hansa.identity.verifier.findings import Check, Finding, Report
from hansa.identity.verifier.formats.table import EXAMINE, SUPPORTED
from hansa.identity.verifier.judgement import Judged, judge
from hansa.identity.verifier.registry import Registry
from hansa.identity.verifier.requests import (
    RequestParts,
    VerifierIdentity,
    build_request,
    sign_request,
    write_request_uri,
)
from hansa.kernel.errors import NotFound, Unavailable

SESSION_MS = 600_000
RESULT_MS = 3_600_000
ANSWER_BYTES_MAX = 1 << 20
PRESENTATIONS_MAX = 16
_SECRET_BYTES = 32


class VerifierSettings(msgspec.Struct, frozen=True, kw_only=True):
    """How a verifier asks."""

    url: str
    """https, without a slash at the end; requests and answers lie below it."""
    encrypts: bool = True
    """Whether answers must be encrypted to it."""
    load_contexts: Callable[[], Contexts] = load_pinned
    """Gives the contexts that credentials in JSON-LD may name."""


class Commitment(NamedTuple):
    """To what an answer is bound, where the verifier says so itself."""

    nonce: str
    expires_ms: int
    """Answers are taken before."""


class Asking(NamedTuple):
    """A new session."""

    session_id: str
    uri: str
    """What a QR code or a link holds."""


class Accepted(NamedTuple):
    """An answer that holds, with what came."""

    session_id: str
    presentations: dict[str, list[Any]]
    """As they were sent, by the id of their query."""
    judged: tuple[Judged, ...]
    time_ms: int


class Session(msgspec.Struct, frozen=True):
    """What a verifier remembers of one question."""

    id: str
    query: dict[str, Any]
    purpose: str
    nonce: str
    state: str
    secret: str
    """Of the key to which the answer is encrypted, base64url; empty for none, and once it came."""
    transactions: tuple[str, ...]
    redirect_uri: str
    """Where the wallet sends the browser afterwards; empty across devices."""
    expires_ms: int
    asked_ms: int = 0
    response_code: str = ""
    """Which came with that address, once there is an answer."""
    report: Report | None = None
    trouble: str = ""
    """Why the last answer could not be judged, which the wallet may send again; empty if it was."""
    is_committed: bool = False
    """Whether somebody is to be told of the answer, who made its nonce."""


class Verifier:
    """Asks for presentations and judges them."""

    def __init__(
        self,
        settings: VerifierSettings,
        identity: VerifierIdentity,
        store: Store,
        registry: Registry,
        draw: Callable[[int], bytes],
        accept: Callable[[Accepted], None] | None = None,
    ) -> None:
        """Make a verifier; `accept` is told of each answer that is accepted, before the wallet.

        What it raises, the wallet is told, and the session stays open. After a crash it may be told
        of one session twice.
        """
        self._accept = accept
        self._settings = settings
        self._identity = identity
        self._store = store
        self._registry = registry
        self._draw = draw

    def ask(
        self,
        query: Query,
        purpose: str,
        time_ms: int,
        *,
        transactions: Sequence[Mapping[str, Any]] = (),
        redirect_uri: str = "",
        commitment: Commitment | None = None,
    ) -> Asking:
        """Begin a session; `transactions` are shown to the holder, who authorises them.

        A `redirect_uri` gets the code with which the browser comes back as its fragment, or added
        to it where it ends with `=`, for a page that runs no script.

        With a `commitment`, its nonce and end count, instead of a drawn nonce and ten minutes.

        Raises:
          Unsound: `MALFORMED`: a transaction without type, or for a credential not asked for;
            `UNSUPPORTED`: a query for issuers of certain authorities, which nobody here checks.
        """
        if any(each.trusted_authorities for each in query.credentials):
            raise Unsound(
                Fault.UNSUPPORTED,
                "trusted_authorities are not checked here: issuers are accredited on the ledger",
            )
        for each in transactions:
            _check_transaction(each, query)
        session = Session(
            self._draw_name(),
            write_query(query),
            purpose,
            commitment.nonce if commitment else self._draw_secret(),
            self._draw_secret(),
            self._draw_key() if self._settings.encrypts else "",
            tuple(encode_base64url(canonicalize(dict(each))) for each in transactions),
            redirect_uri,
            commitment.expires_ms if commitment else time_ms + SESSION_MS,
            time_ms,
            is_committed=commitment is not None,
        )
        self._keep(session, session.expires_ms)
        return Asking(session.id, self.write_request_uri(session.id))

    def give_request(self, session_id: str, wallet_nonce: str, time_ms: int) -> str:
        """Give the signed request to the wallet that fetches it.

        Raises:
          NotFound: there is no such session, its time is over, or it was answered.
        """
        session = self._get_open(session_id, time_ms)
        key = _load_key(session)
        parts = RequestParts(
            self._locate_answer(session),
            session.query,
            session.nonce,
            session.state,
            None if key is None else key.public_key,
            session.transactions,
            session.expires_ms,
            SUPPORTED,
        )
        request = build_request(self._identity, parts, time_ms)
        return sign_request(self._identity, request, wallet_nonce)

    async def take_answer(
        self, session_id: str, parameters: Mapping[str, str], time_ms: int
    ) -> dict[str, str]:
        """Take a wallet's answer, judge it, and say where the browser goes on (HTTP 200).

        Raises:
          NotFound: there is no such session, its time is over, or it was answered.
          Unsound: it is no answer to this request: the session stays open.
          Unavailable: what must be asked does not answer now: the session stays open.
        """
        session = self._get_open(session_id, time_ms)
        answer = self._open(session, parameters)
        if answer.get("state") != session.state:
            raise Unsound(Fault.NONCE, "the answer is to another request: its state differs")
        if session.is_committed and self._accept is None:
            raise Unavailable(
                "this request is of another service that uses this folder, which does something "
                "with the answer: serve the folder by that one"
            )
        if "error" in answer:
            report = _report_refusal(answer)
        else:
            token = answer.get("vp_token")
            try:
                report, judged = await self._judge(session, token, time_ms)
            except Unavailable as error:
                self._note_trouble(session_id, error.message, time_ms)
                raise
            if report.is_accepted and self._accept is not None:
                self._accept(Accepted(session_id, dict(token or {}), judged, time_ms))
        # Two answers may have been judged at the same time: only one of them gets this.
        claim = hash_key(f"answer {session_id}")
        if not self._store.add(Kind.SEEN, claim, session.expires_ms, time_ms):
            raise _no_session()
        code = self._draw_secret() if session.redirect_uri else ""
        # What opens the answer is needed no more: nobody is to open it who finds both later.
        answered = msgspec.structs.replace(
            session, report=report, response_code=code, trouble="", secret=""
        )
        self._keep(answered, time_ms + RESULT_MS)
        if not code:
            return {}
        joint = "" if session.redirect_uri.endswith("=") else "#response_code="
        return {"redirect_uri": f"{session.redirect_uri}{joint}{code}"}

    def get_report(self, session_id: str, response_code: str, time_ms: int) -> Report | None:
        """Get what came of a session; None while there is no answer.

        Raises:
          NotFound: there is no such session, its time is over, or the code is not its own.
        """
        session = self._get(session_id, time_ms)
        if not hmac.compare_digest(
            session.response_code.encode(), response_code.encode("utf-8", "replace")
        ):
            raise _no_session()
        return session.report

    def get_session(self, session_id: str, time_ms: int) -> Session:
        """Get a session as its verifier knows it; raises `NotFound`."""
        return self._get(session_id, time_ms)

    def list_sessions(self, time_ms: int, limit: int) -> list[Session]:
        """List sessions that are open, or were answered within the last hour; newest first."""
        found = self._store.list_values(Kind.SESSION, time_ms, limit)
        sessions = [msgspec.json.decode(raw, type=Session) for raw in found]
        return sorted(sessions, key=lambda each: each.asked_ms, reverse=True)

    def write_request_uri(self, session_id: str) -> str:
        """Write what a QR code or a link of a session holds."""
        place = f"{self._settings.url}/requests/{session_id}"
        return write_request_uri(self._identity.client_id, place)

    async def _judge(
        self, session: Session, token: object, time_ms: int
    ) -> tuple[Report, tuple[Judged, ...]]:
        query = read_query(session.query)
        if not isinstance(token, dict) or not all(isinstance(x, list) for x in token.values()):
            raise Unsound(Fault.MALFORMED, "vp_token must hold lists of presentations by query id")
        if max(len(token), sum(map(len, token.values()))) > PRESENTATIONS_MAX:
            raise Unsound(Fault.TOO_LARGE, f"vp_token holds over {PRESENTATIONS_MAX} presentations")
        findings: list[Finding] = []
        candidates: dict[str, list[Candidate]] = {}
        judged_all: list[Judged] = []
        for query_id, presentations in token.items():
            asked = query.find(query_id)
            if asked is None:
                continue
            for presented in presentations:
                examined = await self._examine(session, asked, presented, time_ms)
                findings += examined.findings
                judged = examined.judged
                if judged is None:
                    continue
                findings += await judge(judged, self._registry, time_ms)
                judged_all.append(judged)
                candidates.setdefault(query_id, []).append(
                    Candidate(
                        query_id,
                        judged.format,
                        frozenset(judged.types) | judged.names,
                        judged.claims,
                        judged.is_bound,
                    )
                )
        findings += [
            Finding("", Check.TRANSACTION, Fault.BINDING, "a transaction was authorised by nothing")
            for each in session.transactions
            if not any(_is_for(each, query_id) for query_id, shown in token.items() if shown)
        ]
        gaps = find_gaps(query, {name: candidates.get(name, []) for name in token})
        findings += [Finding("", Check.REQUEST, Fault.TYPE, gap) for gap in gaps]
        if not gaps:
            findings.append(Finding("", Check.REQUEST, None, "it is what was asked for"))
        claims = {name: [each.claims for each in found] for name, found in candidates.items()}
        report = Report(tuple(findings), claims)
        if not report.is_accepted:
            report = report._replace(claims={})
        return report, tuple(judged_all)

    async def _examine(
        self, session: Session, query: CredentialQuery, presented: object, time_ms: int
    ) -> Examined:
        key = _load_key(session)
        client_id = self._identity.client_id
        transactions = tuple(each for each in session.transactions if _is_for(each, query.id))
        asked = Asked(
            query.id,
            Challenge(client_id, session.nonce, age_max_s=SESSION_MS // 1_000),
            query.require_cryptographic_holder_binding or bool(transactions),
            transactions,
            create_redirect_transcript(
                client_id,
                session.nonce,
                self._locate_answer(session),
                None
                if key is None
                else decode_base64url(compute_thumbprint(key.public_key), "the thumbprint"),
            ),
            query.meta,
            self._settings.load_contexts,
        )
        examine = EXAMINE.get(query.format)
        if examine is None:
            error = Unsound(Fault.UNSUPPORTED, f"the format {query.format!r} is not verified here")
            return Examined([Finding.of(query.id, Check.FORMAT, error)], None)
        return await examine(presented, asked, self._registry, time_ms)

    def _open(self, session: Session, parameters: Mapping[str, str]) -> dict[str, Any]:
        """Read an answer's parameters, decrypted where they must be encrypted."""
        key = _load_key(session)
        if key is None or ("error" in parameters and "response" not in parameters):
            answer: dict[str, Any] = dict(parameters)
            if "vp_token" in answer:
                what = "vp_token"
                answer[what] = decode_object(str(answer[what]), what, ANSWER_BYTES_MAX)
            return answer
        token = parameters.get("response", "")
        payload = decrypt_jwe(token, key, "the answer").payload
        return {"state": session.state} | decode_object(payload, "the answer", ANSWER_BYTES_MAX)

    def _locate_answer(self, session: Session) -> str:
        return f"{self._settings.url}/answers/{session.id}"

    def _get(self, session_id: str, time_ms: int) -> Session:
        found = decode(self._store.get(Kind.SESSION, hash_key(session_id), time_ms), Session)
        if found is None:
            raise _no_session()
        return found

    def _get_open(self, session_id: str, time_ms: int) -> Session:
        session = self._get(session_id, time_ms)
        if session.report is not None:
            raise _no_session()
        return session

    def _note_trouble(self, session_id: str, why: str, time_ms: int) -> None:
        """Note why an answer could not be judged, unless another one was meanwhile."""
        session = self._get(session_id, time_ms)
        if session.report is None:
            noted = msgspec.structs.replace(session, trouble=why)
            self._keep(noted, session.expires_ms)

    def _keep(self, session: Session, expires_ms: int) -> None:
        raw = msgspec.json.encode(session)
        self._store.put(Kind.SESSION, hash_key(session.id), raw, expires_ms)

    def _draw_name(self) -> str:
        """Draw the name of a session, which people type: a dash ahead would make it an option."""
        while (name := self._draw_secret()).startswith("-"):
            continue
        return name

    def _draw_secret(self) -> str:
        return encode_base64url(self._draw(_SECRET_BYTES))

    def _draw_key(self) -> str:
        return encode_base64url(generate_private_key(KeyKind.P256, self._draw).secret)


def _load_key(session: Session) -> PrivateKey | None:
    if not session.secret:
        return None
    return load_private_key(KeyKind.P256, decode_base64url(session.secret, "the session's key"))


def _check_transaction(transaction: Mapping[str, Any], query: Query) -> None:
    ids = transaction.get("credential_ids")
    is_sound = (
        isinstance(transaction.get("type"), str)
        and isinstance(ids, list | tuple)
        and bool(ids)
        and all(query.find(each) is not None for each in ids)
    )
    if not is_sound:
        raise Unsound(
            Fault.MALFORMED,
            "a transaction has a type, and credential_ids of credentials that are asked for",
        )


def _is_for(transaction: str, query_id: str) -> bool:
    data = decode_object(decode_base64url(transaction, "the transaction"), "the transaction")
    return query_id in data["credential_ids"]


def _report_refusal(answer: Mapping[str, Any]) -> Report:
    """Report that the wallet or its holder declined, in its words as far as they can be shown."""
    told = f"{answer.get('error')} {answer.get('error_description', '')}".strip()
    shown = "".join(letter for letter in told[:200] if letter.isprintable())
    text = f"the wallet presents nothing: {shown}"
    return Report((Finding("", Check.REQUEST, Fault.UNRESOLVED, text),), {})


def _no_session() -> NotFound:
    return NotFound("there is no such request, its time is over, or it was answered: ask anew")
