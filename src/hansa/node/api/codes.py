"""What each code of an error means, who must act, and what to do: the one place of these texts.

The console's pages of codes, the command line and the tables of docs/reference say what is here.
Those of contracts stand in `refusals`. Between backticks is what is typed as it is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from types import MappingProxyType

from hansa.contracts import members, proposals
from hansa.kernel.calendar import format_iso
from hansa.kernel.errors import Invalid
from hansa.node.api.refusals import REFUSALS, Advice

FAILURES: dict[str, Advice] = {
    "kernel.FAILED": Advice(
        "A contract raised what it should not: the program’s fault. Nothing changed.",
        "Look into the alarm, and report it with the `tx_id`.",
        "the node’s operator",
    )
}
"""In a receipt, and no rule’s."""

INVALID: dict[str, Advice] = {
    "TOO_LARGE": Advice(
        "It has more bytes than the network or this node takes.", "Send less at once."
    ),
    "MALFORMED": Advice(
        "The bytes are no envelope, batch, parameter or argument of this form.",
        "Compare them with docs/reference/wire.md, or with `/openapi.json`.",
    ),
    "NOT_CANONICAL": Advice(
        "Another encoding of the same value exists.", "Send the shortest MessagePack form."
    ),
    "UNSUPPORTED_VERSION": Advice(
        "It has a version that this program does not know.",
        "Build version 1, or have the node updated.",
    ),
    "TOO_MANY": Advice("It has more items, calls or signers than genesis allows.", "Split it."),
    "SIGNERS": Advice(
        "Signatures and the list of signers do not agree: one is missing, surplus, twice or in "
        "another order.",
        "Sign with exactly the listed keys.",
    ),
    "SUITE": Advice("It has a signature suite that genesis does not allow.", "Use an allowed one."),
    "PUBLIC_KEY": Advice(
        "It has a public key that is not canonical, or of small order.", "Make a new key."
    ),
    "SIGNATURE": Advice(
        "A signature does not verify: made for another network or another body, or with S ≥ L or "
        "a high s.",
        "Sign this body for this network.",
    ),
    "UNKNOWN_SPONSOR": Advice(
        "The sponsor is no active member, or this key may not sponsor for it. Of what a node "
        "batches itself (then with status 503), its server key was replaced, or its member "
        "suspended.",
        "The node’s operator puts the new `sponsor.json` in place and starts it again; until then "
        "submit it through another member.",
        "the sponsor; of a node’s own batch its operator",
    ),
    "QUOTA": Advice(
        "The sponsor’s bytes, envelopes or refusals of the day are used up, invalid items "
        "included; a batch that would go over is not ordered at all.",
        "Wait for the next day (UTC), or ask governance for more.",
        "the sponsor",
    ),
    "EXPIRED": Advice(
        "Ledger time is past `valid_until_ms`.",
        "Look its id up if you may have sent it before; else sign it anew.",
    ),
    "TOO_FAR_AHEAD": Advice(
        "It is valid more than 15 minutes ahead.", "Sign it with an earlier end."
    ),
    "ARGUMENTS": Advice(
        "The arguments do not fit the command.",
        "Send those that docs/reference/contracts.md lists, in that order.",
    ),
    "AMOUNT": Advice(
        "An amount is zero, negative, above 2⁶³ − 1 or no integer.", "Send whole minor units."
    ),
    "NONCE_USED": Advice("This signer used the nonce for another body.", "Use a new nonce."),
    "UNAUTHENTICATED": Advice(
        "The request names no valid API key or certificate, and this takes one.",
        "Send your key, or ask the node’s operator for one.",
        "the caller",
    ),
}
"""What is wrong with an input, in order of the checks. Never in a receipt."""

API: dict[str, Advice] = {
    "api.FORBIDDEN": Advice(
        "The caller is known and may not.",
        "Ask the node’s operator for a key with the right.",
        "the caller",
    ),
    "channel.NO_CHANNEL": Advice(
        "The node has no channel key, and so neither sends nor takes messages.",
        "Make one, publish it, and start the node again.",
        "the node’s operator",
    ),
    "channel.WRONG_RECIPIENT": Advice(
        "The message is for another member than this node’s, or for the sender itself.",
        "Send it to the url that the recipient has published.",
    ),
    "channel.STRANGER": Advice("Sender or recipient is no member.", "Check the address."),
    "channel.SUSPENDED": Advice(
        "Sender or recipient is suspended.", "Wait until it is reinstated.", "governance"
    ),
    "channel.WRONG_SIGNER": Advice(
        "The key that signed signs no batches for the member: its account gives it no purpose "
        "SPONSOR, or less weight than the threshold.",
        "Sign with the server key, or let the account name this one.",
        "the node’s operator",
    ),
    "channel.WRONG_KEY": Advice(
        "The message is encrypted to a channel key that the recipient’s node does not have.",
        "Publish the key that the node has: what waits is encrypted anew and sent again.",
        "the recipient’s operator",
    ),
    "channel.NO_NODE": Advice(
        "The recipient has published no node that takes messages.",
        "Have it publish url and channel key (`nodes.publish`).",
        "the recipient’s operator",
    ),
    "channel.OUT_OF_ORDER": Advice(
        "On this topic a later message of the sender came already.",
        "Nothing, if it came late or twice; else set the sender’s clock right.",
    ),
    "channel.EXPIRED": Advice(
        "The message came after its end, by the recipient’s clock.",
        "Send it again, valid for longer; set the clocks if they differ.",
    ),
    "channel.EXPIRES_TOO_LATE": Advice(
        "The message is valid for more than 30 days, and one to spare, by the recipient’s clock.",
        "Send it valid for 30 days at most; set the clocks if they differ.",
    ),
    "channel.ID_USED": Advice("Another message has this id.", "Take a new id.", "the caller"),
    "pairs.NOT_SET_UP": Advice(
        "The node does not reconcile: its settings have no `[reconciliation]`.",
        "Add it, and start the node again.",
        "the node’s operator",
    ),
    "pairs.NOT_IN_FORCE": Advice(
        "The agreement takes no entries: it is not on the ledger, one bank has yet to accept it, "
        "or it was ended.",
        "Have officers propose and accept it; once it is ended, agree anew.",
        "the caller, or the other bank",
    ),
    "risk.NOT_SET_UP": Advice(
        "The node does not decide on payments: its settings have no `risk.decides`.",
        "Add it, and start the node again.",
        "the node’s operator",
    ),
    "FOREIGN_ORIGIN": Advice(
        "A page of another site asked.",
        "Ask from the node’s own pages, or not from a browser.",
        "the caller",
    ),
    "NOT_FOUND": Advice(
        "There is no such block, transaction, wallet, asset, proposal or route.",
        "Check what you asked for; `/openapi.json` lists routes.",
        "the caller",
    ),
    "METHOD_NOT_ALLOWED": Advice(
        "The route has no such method.", "Use one that `Allow` names.", "the caller"
    ),
    "TIMEOUT": Advice("The body did not arrive in time.", "Send it again.", "the caller"),
    "MEDIA_TYPE": Advice(
        "The body is neither JSON nor MessagePack, or it is compressed.",
        "Send one of them, plain.",
        "the caller",
    ),
    "EXPECTATION": Advice("An `Expect` other than `100-continue`.", "Leave it out.", "the caller"),
    "WRONG_HOST": Advice(
        "The node does not answer to this name.",
        "Use its own name; its operator names it in `listen.public_names`.",
        "the caller, or the node’s operator",
    ),
    "TOO_MANY_REQUESTS": Advice(
        "Over the caller’s rate, or its number of streams.", "Wait for `Retry-After`.", "the caller"
    ),
    "UNAVAILABLE": Advice(
        "Too much waits, the node stops, or its disk refuses.",
        "Wait for `Retry-After`, send the same again: it is safe.",
        "the caller; if it lasts, the node’s operator",
    ),
}
"""What only the HTTP API says."""

CODES = {**REFUSALS, **FAILURES, **INVALID, **API}


DIGITS_MAX = 15
"""Of a number in facts: moments up to the year 9999 and sums of voting power have no more."""


def describe_refusal(code: str, facts: Mapping[str, object] = MappingProxyType({})) -> str:
    """Say which rule refused, and what the facts of the refusal tell beyond that.

    Args:
      code: of the refusal.
      facts: of it; a node that is not one's own may say anything.
    """
    describe = TOLD_BY_FACTS.get(code)
    if describe is not None and (told := describe(facts)):
        return told
    return CODES[code].means if code in CODES else "A rule of the contract refused it."


def _describe_power_change(facts: Mapping[str, object]) -> str:
    """Say which bound of the change of voting power was met, and until when; or nothing."""
    moved, total, ready = (
        _read_number(facts, "moved"),
        _read_number(facts, "total"),
        _read_ready(facts),
    )
    if moved is None or total is None:
        return ""
    later = (
        f"Try it again from {ready} on, when enough of the earlier changes are 24 hours old, if "
        "there is none meanwhile."
        if ready
        else "It is too much by itself: take smaller steps."
    )
    if 3 * moved < total:
        return (
            "The voting power would have changed more than "
            f"{members.POWER_CHANGES_MAX} times within 24 hours. {later}"
        )
    return (
        f"{moved} of a voting power of {total} would have moved within 24 hours, a third or more. "
        f"{later}"
    )


def _describe_lock(facts: Mapping[str, object]) -> str:
    """Say when a proposal's time lock ends; or nothing."""
    ready = _read_ready(facts)
    if not ready:
        return ""
    return (
        f"{CODES[proposals.Code.LOCKED].means.rstrip('.')}: it ends at {ready}, by the time of "
        "blocks. Where validators vote, that is up to 10 s behind the clock: wait that much longer."
    )


def _read_number(facts: Mapping[str, object], name: str) -> int | None:
    text = str(facts.get(name, ""))
    is_number = text.isascii() and text.isdigit() and len(text) <= DIGITS_MAX
    return int(text) if is_number else None


def _read_ready(facts: Mapping[str, object]) -> str:
    """Read from when on a thing can be done; empty if that is not said."""
    ready_ms = _read_number(facts, "ready_ms")
    with suppress(Invalid):
        return "" if ready_ms is None else format_iso(ready_ms, 0)
    return ""


TOLD_BY_FACTS: Mapping[str, Callable[[Mapping[str, object]], str]] = MappingProxyType(
    {
        members.Code.POWER_CHANGE: _describe_power_change,
        proposals.Code.LOCKED: _describe_lock,
    }
)
"""Codes of which the facts of a refusal tell more: which of several reasons, or until when."""


def group_codes(codes: Iterable[str]) -> dict[str, list[str]]:
    """Group codes by the contract before their point, in order.

    >>> group_codes(["wallets.CLOSED", "wallets.FROZEN", "kernel.FAILED"])
    {'wallets': ['wallets.CLOSED', 'wallets.FROZEN'], 'kernel': ['kernel.FAILED']}
    """
    found: dict[str, list[str]] = {}
    for code in codes:
        found.setdefault(code.partition(".")[0], []).append(code)
    return found
