"""The credential endpoint and what belongs to it: nonces, deferred credentials, notifications.

Source: OpenID4VCI 1.0, sections 7 to 11.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import msgspec

from hansa.identity.encoding.strict_json import decode_object
from hansa.identity.faults import Unsound
from hansa.identity.issuer.authorization import Grant
from hansa.identity.issuer.configurations import (
    Configuration,
    IssuerSettings,
    WriteCredential,
)
from hansa.identity.issuer.issuances import Dataset, IssuanceDesk
from hansa.identity.issuer.nonces import Nonces
from hansa.identity.issuer.possession import Expected, FindMaker, verify_proofs
from hansa.identity.jose.jwe import ENCRYPTIONS, decrypt_jwe, encrypt_jwe
from hansa.identity.keys.jwk import read_jwk
from hansa.identity.keys.kinds import KeyKind, PublicKey
from hansa.identity.keys.signing import PrivateKey
from hansa.identity.oauth.refusals import Declined, OAuthError
from hansa.identity.store import Kind, Store, decode, hash_key
from hansa.kernel.errors import NotFound
from hansa.shapes import tell_shape

REQUEST_BYTES_MAX = 1 << 18
NOTIFIED_MS = 24 * 3_600_000
OK, ACCEPTED = 200, 202
EVENTS = ("credential_accepted", "credential_failure", "credential_deleted")
_EVENT_LETTERS_MAX = 256


class Answer(NamedTuple):
    """What goes back: JSON, or a token that is encrypted to the wallet."""

    status: int
    body: dict[str, Any] | str


class _Plain(NamedTuple):
    """An answer before it is encrypted."""

    status: int
    body: dict[str, Any]


class _Encryption(NamedTuple):
    key: PublicKey
    encryption: str
    kid: str


class _Request(msgspec.Struct, frozen=True):
    credential_configuration_id: str | None = None
    credential_identifier: str | None = None
    proofs: Any = None
    credential_response_encryption: dict[str, Any] | None = None


class _Deferred(msgspec.Struct, frozen=True):
    transaction_id: str
    credential_response_encryption: dict[str, Any] | None = None


class _Notification(msgspec.Struct, frozen=True):
    notification_id: str
    event: str
    event_description: str = ""


class _Transaction(msgspec.Struct, frozen=True):
    """A request that waits, with the keys that were proven when it came."""

    grant: Grant
    identifier: str
    keys: tuple[PublicKey, ...]


class CredentialEndpoints:
    """Answers requests for credentials that an access token allows."""

    def __init__(
        self,
        settings: IssuerSettings,
        store: Store,
        desk: IssuanceDesk,
        write: WriteCredential,
        decryption_key: PrivateKey | None = None,
        find_maker: FindMaker = lambda _header: None,
    ) -> None:
        self._settings = settings
        self._store = store
        self._desk = desk
        self._write = write
        self._decryption_key = decryption_key
        self._find_maker = find_maker
        self._nonces = Nonces(store, desk.draw)

    def give_nonce(self, time_ms: int) -> dict[str, str]:
        """Answer the nonce endpoint; the nonce is good once, for five minutes."""
        return {"c_nonce": self._nonces.give(time_ms)}

    def give_credential(self, raw: bytes, grant: Grant, time_ms: int, *, is_jwt: bool) -> Answer:
        """Answer the credential endpoint.

        Raises:
          Declined: with the first error that applies.
        """
        value = self._open(raw, is_jwt=is_jwt)
        request = _convert(value, _Request)
        encryption = self._read_encryption(request.credential_response_encryption, is_jwt=is_jwt)
        dataset = self._find_dataset(request, grant, time_ms)
        configuration = self._settings.find(dataset.configuration_id)
        if configuration is None:
            raise Declined(OAuthError.UNKNOWN_CONFIGURATION, "this credential is no longer issued")
        keys = self._verify_keys(request.proofs, configuration, grant, time_ms)
        transaction = _Transaction(grant, dataset.identifier, keys)
        found = self._answer(dataset, configuration, transaction, time_ms, notifies=True)
        return self._seal(found, encryption)

    def give_deferred(self, raw: bytes, grant: Grant, time_ms: int, *, is_jwt: bool) -> Answer:
        """Answer the deferred credential endpoint.

        Raises:
          Declined: with the first error that applies.
        """
        value = self._open(raw, is_jwt=is_jwt)
        request = _convert(value, _Deferred)
        encryption = self._read_encryption(request.credential_response_encryption, is_jwt=is_jwt)
        key = hash_key(request.transaction_id)
        transaction = decode(self._store.get(Kind.TRANSACTION, key, time_ms), _Transaction)
        if transaction is None or transaction.grant.issuance_id != grant.issuance_id:
            raise Declined(OAuthError.INVALID_TRANSACTION, "no such request waits for a credential")
        dataset = self._get_dataset(transaction.identifier, time_ms)
        configuration = self._settings.find(dataset.configuration_id) if dataset else None
        if dataset is None or configuration is None:
            raise Declined(OAuthError.INVALID_TRANSACTION, "no such request waits for a credential")
        if dataset.claims is None and not dataset.declined:
            return self._seal(self._wait(request.transaction_id), encryption)
        if self._store.take(Kind.TRANSACTION, key, time_ms) is None:
            raise Declined(OAuthError.INVALID_TRANSACTION, "this credential was fetched before")
        notifies = self._settings.rules.notifies_deferred
        found = self._answer(dataset, configuration, transaction, time_ms, notifies=notifies)
        return self._seal(found, encryption)

    def take_notification(self, raw: bytes, grant: Grant, time_ms: int) -> None:
        """Take what a wallet says of credentials that it got (HTTP 204); saying it twice is well.

        Raises:
          Declined: `INVALID_NOTIFICATION` or `INVALID_NOTIFICATION_ID`.
        """
        try:
            value = decode_object(raw, "the notification", REQUEST_BYTES_MAX)
            notification = msgspec.convert(value, _Notification)
        except (Unsound, msgspec.ValidationError) as error:
            why = error.message if isinstance(error, Unsound) else tell_shape(error)
            raise Declined(OAuthError.INVALID_NOTIFICATION, why) from None
        if notification.event not in EVENTS:
            raise Declined(
                OAuthError.INVALID_NOTIFICATION, f"event must be one of {', '.join(EVENTS)}"
            )
        key = hash_key(notification.notification_id)
        issued = self._store.get(Kind.NOTIFICATION, key, time_ms)
        if issued is None or issued.decode() != grant.issuance_id:
            raise Declined(OAuthError.INVALID_NOTIFICATION_ID, "no such notification_id")
        told = f"{notification.event} {notification.event_description}"[:_EVENT_LETTERS_MAX]
        self._desk.note(grant.issuance_id, told.strip(), time_ms)

    def _open(self, raw: bytes, *, is_jwt: bool) -> dict[str, Any]:
        """Read a request's JSON, decrypted where it came as a token."""
        what = "the credential request"
        try:
            if not is_jwt:
                if self._settings.rules.needs_encryption:
                    raise Declined(
                        OAuthError.INVALID_ENCRYPTION, "requests must be encrypted to this issuer"
                    )
                return decode_object(raw, what, REQUEST_BYTES_MAX)
            if self._decryption_key is None:
                raise Declined(OAuthError.INVALID_ENCRYPTION, "this issuer decrypts nothing")
            token = raw.decode("ascii", "replace")
            payload = decrypt_jwe(token, self._decryption_key, what).payload
            return decode_object(payload, what, REQUEST_BYTES_MAX)
        except Unsound as error:
            raise Declined(OAuthError.INVALID_CREDENTIAL_REQUEST, error.message) from None

    def _read_encryption(
        self, value: Mapping[str, Any] | None, *, is_jwt: bool
    ) -> _Encryption | None:
        if value is None:
            if self._settings.rules.needs_encryption:
                raise Declined(OAuthError.INVALID_ENCRYPTION, "send credential_response_encryption")
            return None
        if not is_jwt:
            raise Declined(
                OAuthError.INVALID_ENCRYPTION,
                "a request for an encrypted answer must be encrypted itself, or others could "
                "put their key into it",
            )
        jwk, encryption = value.get("jwk"), value.get("enc")
        if encryption not in ENCRYPTIONS or "zip" in value:
            raise Declined(
                OAuthError.INVALID_ENCRYPTION,
                f"enc must be {' or '.join(ENCRYPTIONS)}, without zip",
            )
        try:
            key = read_jwk(jwk, "the key for the answer")
        except Unsound as error:
            raise Declined(OAuthError.INVALID_ENCRYPTION, error.message) from None
        if key.kind is not KeyKind.P256:
            raise Declined(OAuthError.INVALID_ENCRYPTION, "the key for the answer must be P-256")
        kid = jwk.get("kid") if isinstance(jwk, dict) else None
        return _Encryption(key, str(encryption), kid if isinstance(kid, str) else "")

    def _find_dataset(self, request: _Request, grant: Grant, time_ms: int) -> Dataset:
        """Find what is asked for: by identifier where the token came with those, else by kind."""
        identifier, configuration_id = (
            request.credential_identifier,
            request.credential_configuration_id,
        )
        if (identifier is None) == (configuration_id is None):
            raise Declined(
                OAuthError.INVALID_CREDENTIAL_REQUEST,
                "send exactly one of credential_identifier and credential_configuration_id",
            )
        if (identifier is not None) != grant.uses_details:
            wanted = "identifier" if grant.uses_details else "configuration_id"
            raise Declined(
                OAuthError.INVALID_CREDENTIAL_REQUEST, f"this token asks by credential_{wanted}"
            )
        for each in (self._get_dataset(name, time_ms) for name in grant.identifiers):
            if each is not None and (
                each.identifier == identifier or each.configuration_id == configuration_id
            ):
                return each
        if identifier is not None:
            raise Declined(OAuthError.UNKNOWN_IDENTIFIER, "this token is not for that credential")
        raise Declined(OAuthError.UNKNOWN_CONFIGURATION, "this token is not for that credential")

    def _get_dataset(self, identifier: str, time_ms: int) -> Dataset | None:
        try:
            return self._desk.get(identifier.rpartition(".")[0], time_ms).find(identifier)
        except NotFound:
            return None

    def _verify_keys(
        self, proofs: object, configuration: Configuration, grant: Grant, time_ms: int
    ) -> tuple[PublicKey, ...]:
        if not configuration.needs_binding:
            return ()
        if proofs is None:
            raise Declined(
                OAuthError.INVALID_PROOF, "send proofs: this credential is bound to a key"
            )
        expected = Expected(
            self._settings.url,
            grant.client_id,
            time_ms,
            configuration.needs_attestation,
            self._find_maker,
        )
        proven = verify_proofs(proofs, expected, self._settings.rules.batch_size)
        for nonce in sorted(proven.nonces):
            if not self._nonces.use(nonce, time_ms):
                raise Declined(
                    OAuthError.INVALID_NONCE,
                    "the nonce is unknown, used or over: ask for a new one",
                )
        return proven.keys

    def _answer(
        self,
        dataset: Dataset,
        configuration: Configuration,
        transaction: _Transaction,
        time_ms: int,
        *,
        notifies: bool,
    ) -> _Plain:
        if dataset.declined:
            raise Declined(OAuthError.REQUEST_DENIED, f"not issued: {dataset.declined}")
        if dataset.claims is None:
            transaction_id = self._desk.draw_secret()
            until_ms = time_ms + self._settings.rules.deferred_ms
            raw = msgspec.json.encode(transaction)
            self._store.put(Kind.TRANSACTION, hash_key(transaction_id), raw, until_ms)
            return self._wait(transaction_id)
        if not self._desk.count_issue(dataset.identifier, time_ms):
            raise Declined(OAuthError.REQUEST_DENIED, "this credential was fetched too often")
        keys: tuple[PublicKey | None, ...] = transaction.keys or (None,)
        written = [
            self._write(configuration, dataset.identifier, dataset.claims, key, time_ms)
            for key in keys
        ]
        body: dict[str, Any] = {
            "credentials": [{"credential": each.credential} for each in written]
        }
        if notifies:
            notification_id = body["notification_id"] = self._desk.draw_secret()
            self._store.put(
                Kind.NOTIFICATION,
                hash_key(notification_id),
                transaction.grant.issuance_id.encode(),
                time_ms + NOTIFIED_MS,
            )
        return _Plain(OK, body)

    def _wait(self, transaction_id: str) -> _Plain:
        interval_s = self._settings.rules.interval_s
        return _Plain(ACCEPTED, {"transaction_id": transaction_id, "interval": interval_s})

    def _seal(self, found: _Plain, encryption: _Encryption | None) -> Answer:
        status, body = found
        if encryption is None:
            return Answer(status, body)
        header = {"kid": encryption.kid} if encryption.kid else {}
        raw = msgspec.json.encode(body)
        return Answer(status, encrypt_jwe(raw, encryption.key, header, encryption.encryption))


def _convert(value: dict[str, Any], kind: type[Any]) -> Any:  # noqa: ANN401 - one of two requests
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        raise Declined(OAuthError.INVALID_CREDENTIAL_REQUEST, tell_shape(error)) from None
