"""Messages between members: what other nodes bring, and the outbox and inbox of one's own."""

from __future__ import annotations

from typing import Annotated

import msgspec
from aiohttp import web
from msgspec import Meta

from hansa.kernel.crypto.address import from_text, to_text
from hansa.kernel.encoding import DECODE_ERRORS, tell_fault
from hansa.kernel.errors import Invalid, InvalidCode
from hansa.kernel.messages import Topic
from hansa.node.api.rights import Right
from hansa.node.api.routes import (
    JSON,
    MSGPACK,
    AnyCaseAddress,
    Api,
    Call,
    Parameter,
    Route,
    read_charged,
    require_media_type,
)
from hansa.node.channel.codes import ChannelCode, refuse
from hansa.node.channel.format import VALID_FOR_MOST_MS
from hansa.node.channel.http import ROUTE
from hansa.node.channel.inbox import Arrived
from hansa.node.channel.outbox import Sent
from hansa.node.channel.service import VALID_FOR_LEAST_MS, MessageChannel
from hansa.node.web.forms import read_body
from hansa.sdk.messages import (
    MessageIdText,
    ReceivedMessage,
    ReceivedMessages,
    SentMessage,
    SentMessages,
)

PAGE = 50
PAGE_MAX = 100
DAY_MS = 86_400_000
NUMBER_MAX = 2**53
BYTES_PER_COST = 1_024

Number = Annotated[int, Meta(ge=0, le=NUMBER_MAX)]
PageSize = Annotated[int, Meta(ge=1, le=PAGE_MAX)]


class Outgoing(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A message to be sent."""

    id: MessageIdText
    """Chosen by the caller, at random: the same message again under the same id counts once."""
    recipient: AnyCaseAddress
    topic: Topic
    content: bytes
    valid_for_ms: Annotated[int, Meta(ge=VALID_FOR_LEAST_MS, le=VALID_FOR_MOST_MS)] = DAY_MS


_decode = msgspec.json.Decoder(Outgoing).decode


async def post_message(api: Api, call: Call) -> web.Response:
    """Take a message from another node in, and acknowledge it.

    Its length is charged unless it came in, for members' nodes show no key: what comes in is
    bounded by the inbox, but anybody could bring again what passed by.
    """
    require_media_type(call.request, MSGPACK)
    channel = _require_channel(api)
    raw = await read_body(call.request, api.settings.limits.body_s)
    is_new = False
    try:
        answer, is_new = await channel.receive(raw)
    finally:
        if not is_new:
            api.add_cost(call, len(raw) // BYTES_PER_COST)
    return web.Response(body=answer, content_type=MSGPACK)


async def send_message(api: Api, call: Call) -> SentMessage:
    """Take a message into the outbox."""
    channel = _find_own(api, call)
    require_media_type(call.request, JSON)
    raw, _ = await read_charged(api, call, BYTES_PER_COST)
    try:
        found = _decode(raw)
    except DECODE_ERRORS as error:
        raise Invalid(
            InvalidCode.MALFORMED,
            f"{tell_fault(error)}: send id, recipient, topic, content (BASE64) and valid_for_ms as "
            "JSON",
        ) from None
    lane = (from_text(found.recipient), found.topic)
    sent = await channel.post(lane, bytes.fromhex(found.id), found.content, found.valid_for_ms)
    return _describe_sent(sent)


async def list_sent(api: Api, call: Call, before: int, limit: int) -> SentMessages:
    """List messages that were sent, newest first."""
    found = await _find_own(api, call).outbox.list_newest(before, limit)
    return SentMessages(
        messages=[_describe_sent(item) for item in found],
        next=found[-1].number if len(found) == limit else None,
    )


async def get_sent(api: Api, call: Call, message_id: str) -> SentMessage:
    """Get a message that was sent, and what became of it."""
    return _describe_sent(await _find_own(api, call).outbox.get(bytes.fromhex(message_id)))


async def list_received(
    api: Api, call: Call, topic: str | None, after: int, limit: int
) -> ReceivedMessages:
    """List messages that nobody has taken, oldest first, without their content."""
    found = await _find_own(api, call).inbox.list_waiting(topic, after, limit)
    return ReceivedMessages(
        messages=[_describe_received(item) for item in found],
        next=found[-1].number if len(found) == limit else None,
    )


async def get_received(api: Api, call: Call, number: int) -> ReceivedMessage:
    """Get a message with its content."""
    found = await _find_own(api, call).inbox.get(number)
    api.add_cost(call, found.size // BYTES_PER_COST)
    return _describe_received(found)


async def take_message(api: Api, call: Call, number: int) -> ReceivedMessage:
    """Note that a message was worked off; its content is deleted."""
    return _describe_received(await _find_own(api, call).take(number))


def _require_channel(api: Api) -> MessageChannel:
    if api.channel is None:
        raise refuse(
            ChannelCode.NO_CHANNEL,
            "this node has no channel key, and so neither sends nor takes messages",
        )
    return api.channel


def _find_own(api: Api, call: Call) -> MessageChannel:
    """Find the channel for a caller of the institution whose it is; raises as `Access.require`."""
    channel = _require_channel(api)
    if call.principal.member != channel.member:
        whose = to_text(channel.member)
        raise api.access.deny(call.principal, f"the messages of {whose}: only its own keys do")
    return channel


def _describe_sent(item: Sent) -> SentMessage:
    return SentMessage(
        id=item.id.hex(),
        recipient=to_text(item.recipient),
        topic=item.topic,
        sequence=item.sequence,
        size=item.size,
        state=item.state.value,
        attempts=item.attempts,
        reason=item.reason,
        created_ms=item.created_ms,
        expires_ms=item.expires_ms,
        ended_ms=item.ended_ms or None,
        salt=item.salt.hex(),
        commitment=item.commitment.hex(),
        acknowledgement=None if item.acknowledgement is None else item.acknowledgement.hex(),
    )


def _describe_received(item: Arrived) -> ReceivedMessage:
    return ReceivedMessage(
        number=item.number,
        id=item.id.hex(),
        sender=to_text(item.sender),
        topic=item.topic,
        sequence=item.sequence,
        size=item.size,
        received_ms=item.received_ms,
        taken_ms=item.taken_ms or None,
        salt=item.salt.hex(),
        commitment=item.commitment.hex(),
        content=item.content,
    )


NUMBER = Parameter("number", Number, "Number of a message in the inbox.", "path")
LIMIT = Parameter("limit", PageSize, "How many at most.", default=PAGE)
REFUSALS = (403, 409)

ROUTES = (
    Route(
        "POST",
        ROUTE,
        post_message,
        Right.PUBLIC,
        "Bring a message to this node's member, as another member's node; the answer is the signed "
        "acknowledgement.",
        MSGPACK,
        bodies=((MSGPACK, bytes),),
        errors=(408, 409, 413, 415),
    ),
    Route(
        "GET",
        "/v1/outbox",
        list_sent,
        Right.MESSAGES,
        "Messages that this node's member has sent, newest first.",
        SentMessages,
        parameters=(
            Parameter("before", Number, "Number below which to begin.", default=NUMBER_MAX),
            LIMIT,
        ),
        errors=REFUSALS,
    ),
    Route(
        "POST",
        "/v1/outbox",
        send_message,
        Right.MESSAGES,
        "Send a message to another member; it is tried until acknowledged or expired.",
        SentMessage,
        bodies=((JSON, Outgoing),),
        errors=(*REFUSALS, 408, 413, 415),
    ),
    Route(
        "GET",
        "/v1/outbox/{message_id}",
        get_sent,
        Right.MESSAGES,
        "A message that was sent, and what became of it.",
        SentMessage,
        parameters=(
            Parameter("message_id", MessageIdText, "Id of the message, hexadecimal.", "path"),
        ),
        errors=(*REFUSALS, 404),
    ),
    Route(
        "GET",
        "/v1/inbox",
        list_received,
        Right.MESSAGES,
        "Messages that nobody has taken, oldest first, without their content.",
        ReceivedMessages,
        parameters=(
            Parameter("topic", Topic, "Of the messages; all topics if not given."),
            Parameter("after", Number, "Number behind which to begin.", default=0),
            LIMIT,
        ),
        errors=REFUSALS,
    ),
    Route(
        "GET",
        "/v1/inbox/{number}",
        get_received,
        Right.MESSAGES,
        "A message with its content.",
        ReceivedMessage,
        parameters=(NUMBER,),
        errors=(*REFUSALS, 404),
    ),
    Route(
        "POST",
        "/v1/inbox/{number}/take",
        take_message,
        Right.MESSAGES,
        "Say that a message was worked off; its content is deleted. Again changes nothing.",
        ReceivedMessage,
        parameters=(NUMBER,),
        errors=(*REFUSALS, 404),
    ),
)
