"""What verdicts, reasons, models and features are called, in words for people who run a bank."""

from __future__ import annotations

from hansa.contracts.risk.risk import State
from hansa.risk.verdicts import Verdict

VERDICTS = {
    Verdict.ALLOW: "allowed",
    Verdict.STEP_UP: "customer confirms",
    Verdict.REVIEW: "officer looks",
    Verdict.BLOCK: "blocked",
}
"""What a decision is, in two words."""

VERDICT_SENTENCES = {
    Verdict.ALLOW: "It was allowed at once.",
    Verdict.STEP_UP: "Its customer was to confirm it by another way.",
    Verdict.REVIEW: "It was to wait for an officer.",
    Verdict.BLOCK: "It was blocked: nobody can let it through.",
}

TONES = {
    Verdict.ALLOW: "ok",
    Verdict.STEP_UP: "running",
    Verdict.REVIEW: "running",
    Verdict.BLOCK: "refused",
}
"""How verdicts are coloured."""

SERIES = ("stepped", "reviewed", "blocked")
"""Of the chart, from the bottom upwards."""

FATES = {
    "paid": "paid",
    "failed": "refused by the ledger",
    "sent": "let through",
    "waiting": "waits",
    "refused": "refused",
    "blocked": "blocked",
    "expired": "expired",
    "under_way": "on its way",
}
"""What became of a transaction."""

FATE_TONES = {
    "paid": "ok",
    "sent": "ok",
    "refused": "refused",
    "blocked": "refused",
    "failed": "refused",
    "expired": "refused",
}
"""How fates are coloured; those that are not here are on their way."""

ANSWERS = {
    "confirmed": "Its customer confirmed it by another way",
    "released": "An officer let it through",
    "refused": "It was refused",
}

ANSWER = "hansa risk answer {} {} --by OFFICER --api-key-file CASES.key --node {}"
"""The command by which an officer answers for a transaction: which, what, and at which node."""

CONFIRM = "hansa risk answer {} {} --api-key-file APP.key --node {}"
"""The same for a customer, by the system that asked."""

ANSWER_MEANINGS = {
    "confirmed": "Its customer has confirmed it by another way than the one that it came by; the "
    "system that asked says so, with a key of the right risk_confirm.",
    "released": "An officer has looked at it, and lets it through, with a key of the right "
    "risk_release.",
    "refused": "An officer, or its customer where that was asked, does not let it through.",
}
"""What may be answered for a payment that waits, and what that says."""

LISTS = {
    "sanctions": "Its payer or its payee may be on a sanctions list, by their name: "
    "the command risk hits says by which.",
    "blocked": "A list stops its payer, its payee, the device or the merchant.",
    "allowed": "A list lets it pass, so that the model does not stop it.",
}

REASONS = {
    "not_scored": "No model was asked: its amount decided.",
    "not_described": "It could not be described for rules and model: its amount decided.",
    "answer.confirmed": "Its customer confirmed it by another way.",
    "answer.released": "An officer let it through.",
}
"""Reasons that are a sentence of their own."""

STATES = {
    State.PROPOSED: "proposed",
    State.APPROVED: "approved",
    State.SUSPENDED: "suspended",
    State.RETIRED: "retired",
}
"""Where a model stands on the ledger."""

STATE_TONES = {State.APPROVED: "ok", State.SUSPENDED: "refused", State.RETIRED: "refused"}

ROLES = {
    "champion": "decides",
    "challenger": "tried beside",
    "earlier": "decided before",
    "none": "no role",
}

WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")

CAPPED = ("of the payer", "of the payee", "for cycles", "for middlemen", "for squares")
"""Searches of the graph that a bound can end, by their bits."""
