"""An issuer, a wallet and a verifier in one ring; the network is a function call."""

import asyncio
import json
from itertools import count
from urllib.parse import parse_qsl, urlsplit

from tests.unit.identity.issuer.playing import REDIRECT, URL, Issuer
from tests.unit.identity.verifier.playing import ISSUER, ISSUER_KEY, NOW_MS, Counter, draw_from

from hansa.identity.issuer.authorization import ClientProof
from hansa.identity.issuer.configurations import Written
from hansa.identity.issuer.metadata import build_issuer_metadata, build_server_metadata
from hansa.identity.jose.jws import decode_jws
from hansa.identity.keys.kinds import KeyKind
from hansa.identity.keys.signing import load_private_key
from hansa.identity.oauth.refusals import Declined
from hansa.identity.sd_jwt.credential import Credential, issue_credential
from hansa.identity.wallet.conversation import HttpResponse
from hansa.identity.wallet.holdings import Origin, take_credential
from hansa.identity.wallet.receiving import Instance

DEVICE = load_private_key(KeyKind.P256, b"\x21" * 32)
KEYS = [load_private_key(KeyKind.P256, bytes([number]) * 32) for number in (0x31, 0x32, 0x33)]
WALLET_KEYS = {key.public_key: key for key in KEYS}
VCTS = {"resident": "urn:city:resident", "licence": "urn:city:licence", "note": "urn:city:note"}


def answer(value, status=200):
    return HttpResponse(status, json.dumps(value).encode() if value is not None else b"")


class RealIssuer(Issuer):
    """An issuer whose credentials are real, behind its web addresses."""

    def write(self, configuration, _, claims, key, issued_ms):
        credential = Credential(
            vct=VCTS[configuration.id],
            claims=dict(claims),
            issuer=ISSUER,
            holder_key=key,
            issued_s=issued_ms // 1_000,
        )
        text = issue_credential(ISSUER_KEY, credential, draw_from(500 + self.drawn)).encode()
        self.written.append((configuration.id, claims, key, issued_ms))
        return Written(text, str(len(self.written)))

    def serve(self, request):
        """Answer a request as the issuer's web server would."""
        try:
            return self._serve(request, urlsplit(request.url).path)
        except Declined as error:
            told = {"error": error.error.value, "error_description": error.message}
            return answer(told, error.status)

    def _serve(self, request, path):
        proof = ClientProof(dpop=request.headers.get("dpop", ""))
        form = dict(parse_qsl(request.body.decode()))
        if path == "/.well-known/openid-credential-issuer":
            return answer(build_issuer_metadata(self.settings, None))
        if path == "/.well-known/oauth-authorization-server":
            return answer(build_server_metadata(self.settings))
        if path == "/par":
            return answer(self.server.push(form, proof, self.now_ms), 201)
        if path == "/token":
            return answer(self.server.give_token(form, proof, self.now_ms))
        if path == "/nonce":
            return answer(self.endpoints.give_nonce(self.now_ms))
        bearer = request.headers.get("authorization", "")
        grant = self.server.check_access(bearer, proof, request.url, self.now_ms)
        if path == "/notification":
            self.endpoints.take_notification(request.body, grant, self.now_ms)
            return answer(None, 204)
        give = {
            "/credential": self.endpoints.give_credential,
            "/deferred_credential": self.endpoints.give_deferred,
        }[path]
        found = give(request.body, grant, self.now_ms, is_jwt=False)
        return answer(found.body, found.status)


INSTANCES = count(1)


def instance(**more):
    """A wallet that draws other bytes than those before it."""
    return Instance(DEVICE, draw_from(next(INSTANCES) << 32), lambda: NOW_MS, **more)


def known_instance():
    return instance(client_id="wallet", redirect_uri=REDIRECT)


def hold(conversation, serve, seen=None):
    """Carry a conversation to its end."""
    try:
        request = next(conversation)
        while True:
            if seen is not None:
                seen.append(request)
            request = conversation.send(serve(request))
    except StopIteration as end:
        return end.value


def take(received, number=0, keys=WALLET_KEYS):
    return take_credential(
        "dc+sd-jwt",
        received.credentials[number],
        holding_id=f"h{number}",
        origin=Origin(URL, NOW_MS),
        keys=keys,
    )


class RealCounter(Counter):
    """A verifier behind its web addresses."""

    def fetch_token(self, invitation, wallet_nonce=""):
        session_id = invitation.request_uri.rpartition("/")[2]
        return self.verifier.give_request(session_id, wallet_nonce, self.now_ms)

    def serve(self, request):
        session_id = request.url.rpartition("/")[2]
        form = dict(parse_qsl(request.body.decode()))
        told = asyncio.run(self.verifier.take_answer(session_id, form, self.now_ms))
        return answer(told)


def read_payload(token):
    return decode_jws(token, "it").decode_claims("it")
