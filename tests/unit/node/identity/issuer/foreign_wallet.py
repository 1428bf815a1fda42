"""A wallet written from OpenID4VCI 1.0 alone, with other people's libraries, over real HTTP.

It knows nothing of Hansa. Its checks are those that the specification asks wallets for.
"""

import base64
import hashlib
import json
import secrets
import time
from urllib.parse import parse_qs, urlencode, urlsplit

from jwcrypto.jwe import JWE
from jwcrypto.jwk import JWK
from jwcrypto.jws import JWS

PRE = "urn:ietf:params:oauth:grant-type:pre-authorized_code"
FORM = "application/x-www-form-urlencoded"


def b64(raw):
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def public(key):
    return json.loads(key.export_public())


def sign(key, header, claims):
    jws = JWS(json.dumps(claims))
    jws.add_signature(key, None, json.dumps({"alg": "ES256"} | header), None)
    return jws.serialize(compact=True)


class Refusal(Exception):  # noqa: N818
    def __init__(self, response, body):
        super().__init__(f"{response.status} {body}")
        self.status, self.headers, self.body = response.status, response.headers, body
        self.error = body.get("error") if isinstance(body, dict) else None


class ForeignWallet:
    """One wallet; `http` is an aiohttp session."""

    def __init__(self, http, *, client_id=None, redirect_uri="", uses_dpop=False, maker=None):
        self.http = http
        self.client_id, self.redirect_uri = client_id, redirect_uri
        self.uses_dpop = uses_dpop
        self.maker = maker
        self.device = JWK.generate(kty="EC", crv="P-256")
        self.instance = JWK.generate(kty="EC", crv="P-256")
        self.token = None

    async def fetch(self, method, url, **more):
        async with self.http.request(method, url, allow_redirects=False, **more) as response:
            raw = await response.read()
            kind = response.content_type
            body = json.loads(raw) if kind == "application/json" and raw else raw.decode()
            if response.status >= 400:
                raise Refusal(response, body)
            return response, body

    def prove(self, method, url, token=None):
        """Prove possession of the device's key: RFC 9449, section 4.2."""
        if not self.uses_dpop:
            return {}
        claims = {"htm": method, "htu": url, "iat": int(time.time()), "jti": secrets.token_hex(8)}
        if token is not None:
            claims["ath"] = b64(hashlib.sha256(token.encode()).digest())
        return {"DPoP": sign(self.device, {"typ": "dpop+jwt", "jwk": public(self.device)}, claims)}

    def attest(self):
        """Show who made this wallet: attestation-based client authentication."""
        if self.maker is None:
            return {}
        name, key = self.maker
        now = int(time.time())
        cnf = {"jwk": public(self.instance)}
        attestation = {"iss": name, "sub": self.client_id, "iat": now, "exp": now + 60, "cnf": cnf}
        pop = {"iss": self.client_id, "aud": self.issuer, "iat": now, "jti": secrets.token_hex(8)}
        return {
            "OAuth-Client-Attestation": sign(
                key, {"typ": "oauth-client-attestation+jwt"}, attestation
            ),
            "OAuth-Client-Attestation-PoP": sign(
                self.instance, {"typ": "oauth-client-attestation-pop+jwt"}, pop
            ),
        }

    async def scan(self, uri):
        """Read an offer and what its issuer says of itself: sections 4.1 and 12.2."""
        assert uri.startswith("openid-credential-offer://")
        (place,) = parse_qs(urlsplit(uri).query)["credential_offer_uri"]
        response, self.offer = await self.fetch("GET", place)
        assert response.content_type == "application/json"
        self.issuer = self.offer["credential_issuer"]
        well_known = f"{self.issuer}/.well-known/"
        _, self.metadata = await self.fetch("GET", f"{well_known}openid-credential-issuer")
        assert self.metadata["credential_issuer"] == self.issuer
        _, self.oauth = await self.fetch("GET", f"{well_known}oauth-authorization-server")
        assert self.oauth["issuer"] == self.issuer
        for name in self.offer["credential_configuration_ids"]:
            assert name in self.metadata["credential_configurations_supported"]

    async def redeem_offer(self, tx_code=None, **more):
        """Section 6.1."""
        grant = self.offer["grants"][PRE]
        assert ("tx_code" in grant) == (tx_code is not None)
        form = {"grant_type": PRE, "pre-authorized_code": grant["pre-authorized_code"]} | more
        if tx_code is not None:
            form["tx_code"] = tx_code
        return await self.ask_token(form)

    async def push(self, **more):
        """Push an authorisation request; returns the address for the browser: RFC 9126."""
        self.verifier = secrets.token_urlsafe(48)
        form = {
            "client_id": self.client_id,
            "response_type": "code",
            "redirect_uri": self.redirect_uri,
            "code_challenge": b64(hashlib.sha256(self.verifier.encode()).digest()),
            "code_challenge_method": "S256",
            "state": "s",
            "scope": "resident",
        } | more
        url = self.oauth["pushed_authorization_request_endpoint"]
        headers = self.prove("POST", url) | self.attest()
        response, body = await self.fetch("POST", url, data=form, headers=headers)
        assert response.status == 201
        query = {"client_id": self.client_id, "request_uri": body["request_uri"]}
        return f"{self.oauth['authorization_endpoint']}?{urlencode(query)}"

    async def redeem_code(self, location):
        """Check where the browser came back, and take the token: RFC 9207; RFC 6749, 4.1.3."""
        query = {name: value for name, (value,) in parse_qs(urlsplit(location).query).items()}
        assert location.startswith(self.redirect_uri)
        assert (query["iss"], query["state"]) == (self.issuer, "s")
        form = {
            "grant_type": "authorization_code",
            "client_id": self.client_id,
            "code": query["code"],
            "code_verifier": self.verifier,
            "redirect_uri": self.redirect_uri,
        }
        return await self.ask_token(form)

    async def ask_token(self, form):
        url = self.oauth["token_endpoint"]
        headers = self.prove("POST", url) | self.attest()
        response, body = await self.fetch("POST", url, data=form, headers=headers)
        assert response.headers["Cache-Control"] == "no-store"
        assert body["token_type"] == ("DPoP" if self.uses_dpop else "Bearer")
        self.token = body["access_token"]
        return body

    async def make_proof(self, key):
        """Section 8.2.1.1 and appendix F.1."""
        response, body = await self.fetch("POST", self.metadata["nonce_endpoint"])
        assert response.headers["Cache-Control"] == "no-store"
        claims = {"aud": self.issuer, "iat": int(time.time()), "nonce": body["c_nonce"]}
        if self.client_id:
            claims["iss"] = self.client_id
        header = {"typ": "openid4vci-proof+jwt", "jwk": public(key)}
        return sign(key, header, claims)

    async def call(self, endpoint, body, *, encrypted_to=None):
        """Call an endpoint that the token opens; returns status and what came back, decrypted."""
        url = self.metadata[endpoint]
        scheme = "DPoP" if self.uses_dpop else "Bearer"
        headers = {"Authorization": f"{scheme} {self.token}", "Content-Type": "application/json"}
        headers |= self.prove("POST", url, self.token)
        if encrypted_to is not None:
            headers["Content-Type"] = "application/jwt"
            body = self.encrypt(body, encrypted_to)
        else:
            body = json.dumps(body)
        response, answer = await self.fetch("POST", url, data=body, headers=headers)
        if encrypted_to is not None:
            assert response.content_type == "application/jwt"
            jwe = JWE()
            jwe.deserialize(answer, encrypted_to)
            answer = json.loads(jwe.payload)
        return response.status, answer

    def encrypt(self, body, answer_key):
        """Section 10: the request holds the key for the answer, and is encrypted itself."""
        supported = self.metadata["credential_request_encryption"]
        (jwk,) = supported["jwks"]["keys"]
        told = body | {
            "credential_response_encryption": {
                "jwk": public(answer_key) | {"alg": "ECDH-ES", "use": "enc"},
                "enc": self.metadata["credential_response_encryption"]["enc_values_supported"][0],
            }
        }
        header = {
            "alg": jwk["alg"],
            "enc": supported["enc_values_supported"][0],
            "kid": jwk["kid"],
        }
        jwe = JWE(json.dumps(told), protected=json.dumps(header))
        jwe.add_recipient(JWK(**jwk))
        return jwe.serialize(compact=True)

    async def get_credential(self, *keys, name="resident", encrypted_to=None, **more):
        """Section 8."""
        proofs = [await self.make_proof(key) for key in keys]
        body = {"credential_configuration_id": name, "proofs": {"jwt": proofs}} | more
        if more.get("credential_identifier"):
            del body["credential_configuration_id"]
        return await self.call("credential_endpoint", body, encrypted_to=encrypted_to)
