"""The web server of an issuer: OpenID4VCI's endpoints over one service.

Source: OpenID4VCI 1.0; RFC 6749, section 5.1; RFC 6750, section 3; RFC 8414; RFC 9126; RFC 9449,
section 7.1.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from typing import TypeVar
from urllib.parse import urlsplit

from aiohttp import web
from msgspec.json import encode

from hansa.identity.faults import Unsound
from hansa.identity.issuer.authorization import DPOP, ClientProof, Grant
from hansa.identity.issuer.configurations import BINDING_ALGORITHMS
from hansa.identity.issuer.endpoints import REQUEST_BYTES_MAX, Answer
from hansa.identity.oauth.refusals import UNAUTHORIZED, Declined, OAuthError
from hansa.kernel.errors import Unavailable
from hansa.node.identity.http import (
    BODY_BYTES_MAX,
    NO_STORE,
    Worker,
    answer_error,
    build_guard,
    read_body,
    read_form,
)
from hansa.node.identity.issuer.ledger.delivery import Delivery
from hansa.node.identity.issuer.ledger.standing import StandingWatch
from hansa.node.identity.issuer.lists import LIST_TTL_S
from hansa.node.identity.issuer.page import build_fault, build_page
from hansa.node.identity.issuer.service import IssuerService
from hansa.node.limiter import Limiter
from hansa.node.service import wall_clock_ms
from hansa.node.settings import Limits
from hansa.node.web.hosts import is_foreign

T = TypeVar("T")

JSON, JWT, STATUS_LIST = "application/json", "application/jwt", "application/statuslist+jwt"
CREDENTIAL = "application/vc"
SWEEP_S = 60.0
FORBIDDEN, SEE_OTHER, CREATED, NO_CONTENT = 403, 303, 201, 204
WORKER = web.AppKey("worker", Worker)

Give = Callable[[bytes, Grant, int, bool], Answer]


def create_app(
    service: IssuerService,
    delivery: Delivery | None = None,
    watch: StandingWatch | None = None,
    *,
    warn: Callable[[str], None] = lambda _: None,
    clock_s: Callable[[], float] = time.monotonic,
    clock_ms: Callable[[], int] = wall_clock_ms,
) -> web.Application:
    """Create the application that serves an issuer; call it where an event loop runs.

    Args:
      service: what is served; close it after the application.
      delivery: what brings its decisions to the ledger meanwhile, if anything does.
      watch: what sees meanwhile how it stands there; likewise.
      warn: gets what could not be had, of which wallets are told no more than that.
      clock_s: never goes back; for rate limits.
      clock_ms: the wall clock.
    """
    asking = service.settings.wallets
    limits = Limits(anyone_per_s=asking.requests_per_s, anyone_burst=asking.requests_burst)
    guard = build_guard(service.settings.host_names, Limiter(limits, clock_s), warn)
    app = web.Application(client_max_size=BODY_BYTES_MAX, middlewares=[guard])
    worker = app[WORKER] = Worker(service.records)
    handlers = _Handlers(service, worker, clock_ms)
    get, post = app.router.add_get, app.router.add_post
    get("/.well-known/openid-credential-issuer", handlers.describe)
    get("/.well-known/oauth-authorization-server", handlers.describe_server)
    get("/offers/{id}", handlers.show_offer)
    post("/par", handlers.push)
    get("/authorize", handlers.show_page)
    post("/authorize", handlers.decide)
    post("/token", handlers.give_token)
    post("/nonce", handlers.give_nonce)
    post("/credential", handlers.give_credential)
    post("/deferred_credential", handlers.give_deferred)
    post("/notification", handlers.take_notification)
    get("/types/{name}", handlers.show_type)
    lists, number = service.settings.lists, "{number:[0-9]{1,9}}"
    if lists.is_ours:
        get(urlsplit(lists.locate(number)).path, handlers.show_list)
        bitstrings = lists.locate(number, "{signer}", "{purpose}")
        get(urlsplit(bitstrings).path, handlers.show_bitstring)

    app.cleanup_ctx.append(_work_beside(handlers, delivery, watch, worker))
    return app


def _work_beside(
    handlers: _Handlers, delivery: Delivery | None, watch: StandingWatch | None, worker: Worker
) -> Callable[[web.Application], AsyncIterator[None]]:
    """Build what is done beside requests for as long as they are answered."""

    async def work(_: web.Application) -> AsyncIterator[None]:
        tasks = [asyncio.create_task(handlers.sweep())]
        if delivery is not None:
            tasks.append(asyncio.create_task(delivery.deliver(worker.run, asyncio.sleep)))
        if watch is not None:
            tasks.append(asyncio.create_task(watch.watch(asyncio.sleep)))
        for task in tasks:
            task.add_done_callback(worker.fail_with)
        yield
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        worker.close()

    return work


class _Handlers:
    """Answers each endpoint."""

    def __init__(self, service: IssuerService, worker: Worker, clock_ms: Callable[[], int]) -> None:
        self._service = service
        self._worker = worker
        self._clock_ms = clock_ms

    async def sweep(self) -> None:
        """Drop what has expired, now and then."""
        while True:
            with suppress(Unavailable):  # the disk is full, say: next time
                await self._run(self._service.records.sweep)
            await asyncio.sleep(SWEEP_S)

    async def describe(self, request: web.Request) -> web.Response:
        """Answer `/.well-known/openid-credential-issuer`, signed where the wallet wants it so."""
        vary = {"Vary": "Accept"}
        if _prefers_token(request.headers.get("Accept", "")):
            token = await self._run(self._service.sign_description)
            return web.Response(body=token.encode(), content_type=JWT, headers=vary)
        return web.json_response(self._service.describe(), headers=vary)

    async def describe_server(self, _: web.Request) -> web.Response:
        """Answer `/.well-known/oauth-authorization-server`."""
        return web.json_response(self._service.describe_server())

    async def show_offer(self, request: web.Request) -> web.Response:
        """Answer `/offers/{id}`."""
        offer_id = request.match_info["id"]
        raw = await self._run(lambda now_ms: self._service.desk.get_offer(offer_id, now_ms))
        return web.Response(body=raw, content_type=JSON, headers=NO_STORE)

    async def push(self, request: web.Request) -> web.Response:
        """Answer `/par`."""
        form, proof = await read_form(request), _read_proof(request)
        told = await self._run(lambda now_ms: self._service.server.push(form, proof, now_ms))
        return web.json_response(told, status=CREATED, headers=NO_STORE)

    async def show_page(self, request: web.Request) -> web.Response:
        """Answer `/authorize` to the person's browser."""
        return await self._show(
            request.query.get("request_uri", ""), request.query.get("client_id", "")
        )

    async def decide(self, request: web.Request) -> web.Response:
        """Take what the person decided, and send the browser on to the wallet."""
        origin = request.headers.get("Origin")
        is_ours = origin == self._service.settings.url or not is_foreign(origin, request.host)
        if origin is None or not is_ours:
            return self._answer_fault("a page of another site asked: begin in the wallet", 403)
        form = await read_form(request)
        request_uri, client_id = form.get("request_uri", ""), form.get("client_id", "")
        server, tx_code = self._service.server, form.get("tx_code", "").strip()
        try:
            if form.get("decision") == "approve":
                place = await self._run(
                    lambda now_ms: server.approve_offer(request_uri, client_id, tx_code, now_ms)
                )
            else:
                place = await self._run(
                    lambda now_ms: server.refuse(request_uri, client_id, now_ms)
                )
        except Declined as error:
            return await self._show(request_uri, client_id, error)
        return web.Response(status=SEE_OTHER, headers=NO_STORE | {"Location": place})

    async def give_token(self, request: web.Request) -> web.Response:
        """Answer `/token`."""
        form, proof = await read_form(request), _read_proof(request)
        told = await self._run(lambda now_ms: self._service.server.give_token(form, proof, now_ms))
        return web.json_response(told, headers=NO_STORE | {"Pragma": "no-cache"})

    async def give_nonce(self, _: web.Request) -> web.Response:
        """Answer `/nonce`."""
        told = await self._run(self._service.endpoints.give_nonce)
        return web.json_response(told, headers=NO_STORE)

    async def give_credential(self, request: web.Request) -> web.Response:
        """Answer `/credential`."""
        give = self._service.endpoints.give_credential
        return await self._give(request, "credential", _with_flag(give))

    async def give_deferred(self, request: web.Request) -> web.Response:
        """Answer `/deferred_credential`."""
        give = self._service.endpoints.give_deferred
        return await self._give(request, "deferred_credential", _with_flag(give))

    async def take_notification(self, request: web.Request) -> web.Response:
        """Answer `/notification`."""
        raw = await read_body(request)

        def take(now_ms: int) -> None:
            grant = self._check_access(request, "notification", now_ms)
            self._service.endpoints.take_notification(raw, grant, now_ms)

        try:
            await self._run(take)
        except Declined as error:
            return _answer_declined(request, error)
        return web.Response(status=NO_CONTENT, headers=NO_STORE)

    async def show_type(self, request: web.Request) -> web.Response:
        """Answer `/types/{name}`."""
        content = self._service.writer.find_type(request.match_info["name"])
        headers = {"Cache-Control": f"max-age={LIST_TTL_S}", "Access-Control-Allow-Origin": "*"}
        return web.Response(body=content, content_type=JSON, headers=headers)

    async def show_list(self, request: web.Request) -> web.Response:
        """Answer `/status/{number}`; on the ledger its name there stands ahead of the number."""
        number = int(request.match_info["number"])
        sign = self._service.writer.sign_list
        token = await self._run(lambda now_ms: sign(number, now_ms))
        headers = {"Cache-Control": f"max-age={LIST_TTL_S}", "Access-Control-Allow-Origin": "*"}
        return web.Response(body=token.encode(), content_type=STATUS_LIST, headers=headers)

    async def show_bitstring(self, request: web.Request) -> web.Response:
        """Answer `/status/{signer}/{purpose}/{number}`."""
        asked, sign = request.match_info, self._service.writer.sign_bitstring
        signer, purpose, number = asked["signer"], asked["purpose"], int(asked["number"])
        signed = await self._run(lambda now_ms: sign(signer, purpose, number, now_ms))
        headers = {"Cache-Control": f"max-age={LIST_TTL_S}", "Access-Control-Allow-Origin": "*"}
        return web.Response(body=encode(signed), content_type=CREDENTIAL, headers=headers)

    async def _give(self, request: web.Request, place: str, give: Give) -> web.Response:
        raw = await read_body(request)
        is_jwt = request.content_type == JWT

        def work(now_ms: int) -> Answer:
            grant = self._check_access(request, place, now_ms)
            if not is_jwt and request.content_type != JSON:
                raise _invalid_request(f"the Content-Type must be {JSON} or {JWT}")
            if len(raw) > REQUEST_BYTES_MAX:
                raise _invalid_request(f"the request has over {REQUEST_BYTES_MAX} bytes")
            return give(raw, grant, now_ms, is_jwt)

        try:
            answer = await self._run(work)
        except Declined as error:
            return _answer_declined(request, error)
        except Unsound as error:  # of the officer's making: the wallet can do nothing about it
            return _answer_declined(
                request, Declined(OAuthError.REQUEST_DENIED, f"not issued: {error.message}")
            )
        if isinstance(answer.body, str):
            return web.Response(
                body=answer.body.encode(),
                status=answer.status,
                content_type=JWT,
                headers=NO_STORE,
            )
        return web.json_response(answer.body, status=answer.status, headers=NO_STORE)

    def _check_access(self, request: web.Request, place: str, now_ms: int) -> Grant:
        url = f"{self._service.settings.url}/{place}"
        authorization = request.headers.get("Authorization", "")
        return self._service.server.check_access(authorization, _read_proof(request), url, now_ms)

    async def _show(
        self, request_uri: str, client_id: str, fault: Declined | None = None
    ) -> web.Response:
        find = self._service.server.find_pushed
        try:
            pushed = await self._run(lambda now_ms: find(request_uri, client_id, now_ms))
        except Declined as error:
            return self._answer_fault((fault or error).message, 400)
        return build_page(self._service, request_uri, pushed, fault)

    def _answer_fault(self, message: str, status: int) -> web.Response:
        return build_fault(self._service.settings.name, message, status)

    async def _run(self, work: Callable[[int], T]) -> T:
        now_ms = self._clock_ms()
        return await self._worker.run(lambda: work(now_ms))


def _with_flag(give: Callable[..., Answer]) -> Give:
    def call(raw: bytes, grant: Grant, now_ms: int, is_jwt: bool) -> Answer:  # noqa: FBT001
        return give(raw, grant, now_ms, is_jwt=is_jwt)

    return call


def _read_proof(request: web.Request) -> ClientProof:
    """Read who sends a request.

    Raises:
      Declined: `INVALID_DPOP_PROOF`: there are several proofs.
    """
    headers = request.headers
    if len(headers.getall("DPoP", [])) > 1:
        raise Declined(OAuthError.INVALID_DPOP_PROOF, "send one DPoP proof")
    return ClientProof(
        headers.get("DPoP", ""),
        headers.get("OAuth-Client-Attestation", ""),
        headers.get("OAuth-Client-Attestation-PoP", ""),
    )


def _answer_declined(request: web.Request, error: Declined) -> web.Response:
    """Answer a refusal of an endpoint that an access token opens."""
    if error.error not in {OAuthError.INVALID_TOKEN, OAuthError.INVALID_DPOP_PROOF}:
        return answer_error(error.status, error.error.value, error.message)
    authorization = request.headers.get("Authorization", "")
    algorithms = " ".join(BINDING_ALGORITHMS)
    told = f'error="{error.error.value}"'
    if not authorization:  # who shows nothing is told how to, and no error: RFC 6750, section 3.1
        challenge = f'DPoP algs="{algorithms}", Bearer'
    elif authorization.partition(" ")[0].casefold() == DPOP.casefold():
        challenge = f'DPoP {told}, algs="{algorithms}"'
    else:
        challenge = f"Bearer {told}"
    headers = {"WWW-Authenticate": challenge}
    return answer_error(UNAUTHORIZED, error.error.value, error.message, headers)


def _prefers_token(accept: str) -> bool:
    """Whether a wallet wants the metadata signed: names that type, and JSON not before it."""
    wanted = [part.partition(";")[0].strip().lower() for part in accept.split(",")]
    return JWT in wanted and JSON not in wanted[: wanted.index(JWT)]


def _invalid_request(why: str) -> Declined:
    return Declined(OAuthError.INVALID_CREDENTIAL_REQUEST, why)
