"""POST /v1/transactions: one, many, a batch; order, repetition, waiting, bounds."""

from __future__ import annotations

import asyncio
import base64
import io
import os

import msgspec
import pytest
from tests.api.served import UNLIMITED
from tests.world import MINUTE_MS, key, pay

from hansa.contracts.actions import Action, SetPolicy
from hansa.contracts.governance import Execute, Propose
from hansa.engine.verification import InlineVerifier
from hansa.kernel.block import decode_receipt
from hansa.kernel.crypto.address import to_text
from hansa.kernel.errors import Corrupt
from hansa.node.api.keys import add_key
from hansa.node.api.rights import Right, Role
from hansa.node.service import wall_clock_ms
from hansa.node.settings import Access, Limits, Settings, Sponsored
from hansa.sdk.build import sign_batch, sign_transaction

PATH = "/v1/transactions"
THREE = b'{"transactions": [{"envelope": ""}, {"envelope": ""}, {"envelope": ""}]}'


def sign(town, payer="ada", payee="shop", amount_minor=1, reference=None, nonce=None):
    """Sign a payment, valid by the clock of the node that is served."""
    command = pay(payer, payee, amount_minor, reference or os.urandom(8).hex())
    entropy = os.urandom if nonce is None else lambda _: nonce
    until = wall_clock_ms() + 5 * MINUTE_MS
    return sign_transaction(town.world.network, [key(payer)], [command], until, entropy)


def spoil(raw: bytes) -> bytes:
    """Change a byte of the signature at its end."""
    return raw[:-9] + bytes((raw[-9] ^ 1,)) + raw[-8:]


def text(signed) -> str:
    return base64.b64encode(signed.envelope).decode()


async def post(client, body, **query):
    return await client.post(PATH, json=body, params=query)


def test_a_payment_is_confirmed_and_its_repetition_gets_the_first_receipt(own_town):
    async def use(client, _):
        signed = sign(own_town)
        first = await post(client, {"envelope": text(signed)})
        assert first.status == 200
        found = await first.json()
        assert (found["tx_id"], found["status"]) == (signed.tx_id.hex(), "OK")
        again = await post(client, {"envelope": text(signed)})
        assert await again.json() == found
        shown = await (await client.get(f"{PATH}/{signed.tx_id.hex()}")).json()
        assert (shown["height"], shown["index"]) == (found["height"], found["index"])

    own_town.serve(use, is_started=True)


def test_a_refusal_tells_what_its_facts_say_and_that_an_envelope_counts_once(own_town):
    values = SetPolicy("payments.refund_days", 4_000_000_000_000, (30,))
    proposing = Propose(key("officer0").address, Action.of("set_policy", values))

    async def use(client, _):
        until = wall_clock_ms() + MINUTE_MS
        for names, command in (
            (("officer0", "officer1"), proposing),
            (("ada",), Execute(1)),
        ):
            signers = [key(name) for name in names]
            signed = sign_transaction(own_town.world.network, signers, [command], until)
            response = await post(client, {"envelope": text(signed)})
        assert response.status == 409
        found = await response.json()
        assert found["title"] == "governance.LOCKED"
        assert "it ends at 2" in found["detail"]
        assert "sign it anew" in found["detail"]

    own_town.serve(use, is_started=True)


def test_a_refusal_is_a_problem_that_carries_its_receipt(own_town):
    async def use(client, _):
        response = await post(client, {"envelope": text(sign(own_town, amount_minor=10**9))})
        assert response.status == 409
        assert response.content_type == "application/problem+json"
        found = await response.json()
        assert found["title"] == "balances.INSUFFICIENT_FUNDS"
        assert found["type"].endswith("#balances.INSUFFICIENT_FUNDS")
        assert found["receipt"]["status"] == "REFUSED"
        command = pay("ada", "shop", 1, "not ada's")
        until = wall_clock_ms() + MINUTE_MS
        foreign = sign_transaction(own_town.world.network, [key("cleo")], [command], until)
        response = await post(client, {"envelope": text(foreign)})
        assert response.status == 403
        assert (await response.json())["title"] == "kernel.NOT_AUTHORIZED"

    own_town.serve(use, is_started=True)


def test_one_signers_envelopes_keep_their_order_and_each_item_has_its_result(own_town):
    async def use(client, _):
        signed = [sign(own_town, amount_minor=number + 1) for number in range(40)]
        bad = base64.b64encode(spoil(signed[0].envelope)).decode()
        items = [{"envelope": text(one)} for one in signed]
        items[20:20] = [{"envelope": bad}]
        answer = await post(client, {"transactions": items})
        results = (await answer.json())["results"]
        assert results.pop(20)["error"]["title"] == "SIGNATURE"
        assert [found["tx_id"] for found in results] == [one.tx_id.hex() for one in signed]
        places = [(found["height"], found["index"]) for found in results]
        assert places == sorted(places)

    own_town.serve(use, is_started=True)


def test_who_does_not_wait_is_told_what_to_ask_for(own_town):
    async def use(client, node):
        signed = sign(own_town)
        height = own_town.world.chain.confirmed_height
        answer = await post(client, {"envelope": text(signed)}, wait_ms=0)
        assert answer.status == 202
        assert await answer.json() == {
            "tx_id": signed.tx_id.hex(),
            "status": "PENDING",
            "code": "",
        }
        many = await post(client, {"transactions": [{"envelope": text(sign(own_town))}]}, wait_ms=0)
        assert many.status == 202
        (result,) = (await many.json())["results"]
        batch = pack(own_town, [sign(own_town)])
        sent = await client.post(PATH, data=batch, headers=MSGPACK, params={"wait_ms": 0})
        assert sent.status == 202
        ids = [
            signed.tx_id.hex(),
            result["tx_id"],
            msgspec.msgpack.decode(await sent.read())[0].hex(),
        ]
        while ids:
            height += 1
            assert await node.wait_for_block(height, 60)
            record = own_town.world.chain.get_record(height)
            for raw in record.receipts:
                ids.remove(decode_receipt(raw).tx_id.hex())

    own_town.serve(use, is_started=True)


MSGPACK = {"Content-Type": "application/msgpack"}


def pack(town, signed, sponsor="north"):
    items = [(one.envelope, None) for one in signed]
    return sign_batch(town.world.network, key(sponsor).address, key(f"{sponsor} server"), items)


def test_a_signed_batch_is_answered_by_receipts(own_town):
    async def use(client, _):
        signed = [sign(own_town), sign(own_town, amount_minor=10**9), sign(own_town)]
        signed.append(signed[0])
        answer = await client.post(PATH, data=pack(own_town, signed), headers=MSGPACK)
        rows = msgspec.msgpack.decode(await answer.read())
        receipts = [decode_receipt(raw) for raw, *_ in rows[:3]]
        assert [found.tx_id for found in receipts] == [one.tx_id for one in signed[:3]]
        assert [int(found.status) for found in receipts] == [0, 1, 0]
        assert rows[3] == rows[0]
        raw = spoil(pack(own_town, signed))
        bad = await client.post(PATH, data=raw, headers=MSGPACK)
        assert (bad.status, (await bad.json())["title"]) == (400, "SIGNATURE")

    own_town.serve(use, is_started=True)


@pytest.mark.parametrize(
    ("body", "content_type", "status", "code"),
    [
        (b"{", "application/json", 400, "MALFORMED"),
        (b"[]", "application/json", 400, "MALFORMED"),
        (b"\xff", "application/json", 400, "MALFORMED"),
        (b"[" * 100_000, "application/json", 400, "MALFORMED"),
        (b"{}", "application/json", 400, "MALFORMED"),
        (b'{"envelope": "%%%"}', "application/json", 400, "MALFORMED"),
        (b'{"envelope": ""}', "application/json", 400, "MALFORMED"),
        (b'{"envelope": "", "transactions": []}', "application/json", 400, "MALFORMED"),
        (b'{"envelope": "", "more": 1}', "application/json", 400, "MALFORMED"),
        (b'{"envelope": "", "attestation": "aa"}', "application/json", 400, "MALFORMED"),
        (b'{"transactions": []}', "application/json", 400, "TOO_MANY"),
        (THREE, "application/json", 400, "TOO_MANY"),
        (b"\xc1", "application/msgpack", 400, "MALFORMED"),
        (b"", "application/msgpack", 400, "MALFORMED"),
        (b"{}", "text/plain", 415, "MEDIA_TYPE"),
        (b" " * 5_000_001, "application/json", 413, "TOO_LARGE"),
        (b" " * 4_500_000, "application/msgpack", 413, "TOO_LARGE"),
    ],
)
def test_what_is_no_transaction_is_told_so(town, body, content_type, status, code):
    async def use(client, _):
        headers = {"Content-Type": content_type}
        response = await client.post(PATH, data=io.BytesIO(body), headers=headers)
        assert response.status == status
        assert response.content_type == "application/problem+json"
        assert (await response.json())["title"] == code

    limits = Limits(items=2, body_bytes=5_000_000, anyone_per_s=0)
    town.serve(use, Settings(limits=limits))


def test_only_the_sponsor_itself_attests_by_a_key_made_for_it(own_town):
    bound = {"role": Role.OPERATOR, "member": to_text(key("north").address)}
    bound["rights"] = [Right.RISK_ATTEST]
    _, own_town.tokens["attesting"] = add_key(own_town.path, name="scoring", now_ms=1, **bound)

    async def use(client, _):
        for caller, status, code in (
            ("anyone", 401, "UNAUTHENTICATED"),
            ("customer", 403, "api.FORBIDDEN"),
            ("other_operator", 403, "api.FORBIDDEN"),
            ("operator", 403, "api.FORBIDDEN"),
            ("attesting", 200, None),
        ):
            item = {"envelope": text(sign(own_town)), "attestation": "ab" * 32}
            for body in (item, {"transactions": [item]}):
                headers = own_town.sign_in(caller)
                response = await client.post(PATH, json=body, headers=headers)
                assert (response.status, (await response.json()).get("title")) == (status, code)

    own_town.serve(use, is_started=True)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b'{"transactions": []}', "the list is empty: send 1 to 2 transactions at a time"),
        (THREE, "3 transactions are too many: send 1 to 2 at a time"),
    ],
)
def test_a_list_of_a_wrong_length_is_told_what_to_send(town, body, message):
    async def use(client, _):
        response = await client.post(PATH, data=body, headers={"Content-Type": "application/json"})
        assert (await response.json())["detail"] == message

    town.serve(use, Settings(limits=Limits(items=2)))


def test_a_compressed_body_is_not_unpacked(town):
    async def use(client, _):
        headers = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
        response = await client.post(PATH, data=b"\x1f\x8b", headers=headers)
        assert response.status in {400, 415}

    town.serve(use)


def test_a_body_that_does_not_arrive_is_not_waited_for(town):
    async def body():
        yield b'{"envelope": "'
        await asyncio.Event().wait()

    async def use(client, _):
        headers = {"Content-Type": "application/json"}
        response = await client.post(PATH, data=body(), headers=headers)
        assert response.status == 408

    town.serve(use, Settings(limits=Limits(body_s=0.05, anyone_per_s=0)))


def test_strangers_are_not_sponsored_where_settings_say_so(town):
    async def use(client, _):
        body = {"envelope": text(sign(town))[:-4] + "AAAA"}
        assert (await post(client, body)).status == 401
        headers = town.sign_in("customer")
        assert (await client.post(PATH, json=body, headers=headers)).status == 400

    settings = Settings(access=Access(sponsor_for=Sponsored.KNOWN), limits=UNLIMITED)
    town.serve(use, settings)


def test_callers_have_buckets_of_their_own_that_fill_again(town):
    async def use(client, _):
        statuses = [(await client.get("/v1/status")).status for _ in range(3)]
        assert statuses == [200, 200, 429]
        limited = await client.get("/v1/status")
        assert limited.headers["Retry-After"] == "1"
        assert (await limited.json())["title"] == "TOO_MANY_REQUESTS"
        headers = town.sign_in("customer")
        assert (await client.get("/v1/status", headers=headers)).status == 200
        assert (await client.get("/healthz")).status == 200
        town.clock.s += 1.5
        assert (await client.get("/v1/status")).status == 200

    limits = Limits(anyone_per_s=1, anyone_burst=2, known_per_s=1, known_burst=1)
    town.serve(use, Settings(limits=limits))


def test_many_transactions_cost_as_many_tokens(town):
    async def use(client, _):
        items = [{"envelope": ""}] * 11
        assert (await post(client, {"transactions": items})).status == 200
        limited = await post(client, {"transactions": items})
        assert (limited.status, limited.headers["Retry-After"]) == (429, "3")

    town.serve(use, Settings(limits=Limits(refused_cost=0, anyone_per_s=2, anyone_burst=5)))


def test_wrong_keys_are_charged_to_where_they_come_from(town):
    async def use(client, _):
        headers = {"Authorization": "Bearer hansa-00000000-AAAA"}
        statuses = [(await client.get("/v1/status", headers=headers)).status for _ in range(3)]
        assert statuses == [401, 401, 429]

    town.serve(use, Settings(limits=Limits(anyone_per_s=1, anyone_burst=2)))


class StumblingVerifier(InlineVerifier):
    """Breaks at its first envelopes: by a fault, or as a pool does that is closed."""

    def __init__(self, network, error):
        super().__init__(network)
        self.error = error

    async def check_envelopes(self, raws):
        """Raise what is none of our errors, once."""
        error, self.error = self.error, None
        if error is not None:
            raise error
        return await super().check_envelopes(raws)


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (RuntimeError("a process of the pool ended"), "a fault of this node's program"),
        (asyncio.CancelledError(), "the node is stopping"),
    ],
    ids=["fault", "closed"],
)
def test_a_fault_fails_those_it_meets_and_the_line_goes_on(own_town, error, told):
    faults = []

    async def use(client, node):
        asyncio.get_running_loop().set_exception_handler(lambda _, fault: faults.append(fault))
        node.engine.verifier = StumblingVerifier(own_town.world.network, error)
        async with asyncio.timeout(60):
            met = await post(client, {"envelope": text(sign(own_town))})
            assert met.status == 503
            assert told in (await met.json())["detail"]
            behind = await post(client, {"envelope": text(sign(own_town))})
            assert behind.status == 200
        assert [fault["exception"] for fault in faults] == [error] * isinstance(error, Exception)

    own_town.serve(use, is_started=True)


async def wait_for_damage(node):
    """Wait until the node has stopped over damage."""
    async with asyncio.timeout(60):
        with pytest.raises(Corrupt):
            await node.engine.wait()


@pytest.mark.parametrize("wait_ms", [0, 10_000])
@pytest.mark.parametrize("is_one", [True, False])
def test_damage_that_a_repetition_meets_stops_the_node(own_town, is_one, wait_ms):
    (segment,) = (own_town.path.parent / "log").glob("*.log")

    async def use(client, node):
        item = {"envelope": text(sign(own_town))}
        first = await (await post(client, item)).json()
        with segment.open("r+b") as file:
            file.seek(file.read().rindex(bytes.fromhex(first["tx_id"])))
            file.write(b"damaged!")
        met = await post(client, item if is_one else {"transactions": [item]}, wait_ms=wait_ms)
        if wait_ms:
            assert "the engine has stopped" in await met.text()
        await wait_for_damage(node)
        assert (await client.get("/readyz")).status == 503

    with pytest.raises(Corrupt, match="block"):
        own_town.serve(use, is_started=True)


class StaleMembers:
    """A machine whose table of members turns out to be damaged."""

    def __init__(self, machine) -> None:
        self._machine = machine

    def __getattr__(self, name):
        return getattr(self._machine, name)

    def check_sponsor(self, _batch, _time_ms):
        """Raise what a read of a damaged row does."""
        raise Corrupt("the state store is damaged: a row of members")


def test_damage_that_ordering_meets_stops_the_node(own_town):
    async def use(client, node):
        node.chain.machine = StaleMembers(node.chain.machine)
        await post(client, {"transactions": [{"envelope": text(sign(own_town))}]})
        await wait_for_damage(node)

    with pytest.raises(Corrupt, match="members"):
        own_town.serve(use, is_started=True)


class WaitingVerifier(InlineVerifier):
    """Checks a batch once the gate is open."""

    def __init__(self, network) -> None:
        super().__init__(network)
        self.gate = asyncio.Event()

    async def check_batch(self, raw):
        """Check it then."""
        await self.gate.wait()
        return await super().check_batch(raw)


def test_damage_met_when_nobody_waits_any_more_stops_the_node(own_town):
    async def use(client, node):
        node.chain.machine = StaleMembers(node.chain.machine)
        node.engine.verifier = WaitingVerifier(own_town.world.network)
        raw = pack(own_town, [sign(own_town)])
        answer = await client.post(PATH, data=raw, headers=MSGPACK, params={"wait_ms": 0})
        assert answer.status == 202
        node.engine.verifier.gate.set()
        await wait_for_damage(node)

    with pytest.raises(Corrupt, match="members"):
        own_town.serve(use, is_started=True)
