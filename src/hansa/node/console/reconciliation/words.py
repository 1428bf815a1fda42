"""What agreements, windows, breaks and cases are called, in words for people who run a bank."""

from __future__ import annotations

from hansa.contracts.reconciliation.cases import Kind, State

PAIR_STATES = {
    "unknown": "not on the ledger",
    "offered": "proposed here",
    "asked": "waits to be accepted here",
    "in_force": "in force",
    "ended": "ended",
}

WINDOW_STATES = {
    "open": "open",
    "closed": "closed",
    "half": "stated by one",
    "differs": "results differ",
    "agreed": "agreed",
}

CLASSES = {
    "ambiguous": "Ambiguous",
    "duplicate": "Duplicate",
    "reversal": "Reversal of nothing",
    "split": "Parts do not add up",
    "amount": "Another amount",
    "date": "Another date",
    "missing_ours": "Missing in own books",
    "missing_theirs": "Missing at the other bank",
}
"""Classes of breaks; what is missing is told as seen from this bank."""

EXPLANATIONS = {
    "ambiguous": "Several answers are as good as each other, so none was picked: which of these "
    "entries belong together, only people can say.",
    "duplicate": "One more copy of an entry that has its partner already. Either it was entered "
    "twice, or the other bank lacks one.",
    "reversal": "It takes something back, and what it takes back is in neither bank’s books.",
    "split": "One entry here stands against several there that name each other, and their sums are "
    "not equal.",
    "amount": "Both banks have one entry with this reference, and the amounts differ by more than "
    "the rules let pass.",
    "date": "Both banks have this movement, and the days differ by more than the rules let pass.",
    "missing_ours": "The other bank has an entry for which nothing in the own books fits.",
    "missing_theirs": "The own books have an entry for which the other bank has nothing that fits.",
}
"""What a class of breaks means."""

CASE_STATES = {
    "none": "no case",
    "open": "open",
    "proposed": "proposed",
    "offered": "offered",
    "accepted": "accepted",
    "resolved": "resolved",
    "disputed": "disputed",
    "healed": "healed",
}

KINDS = {
    Kind.CORRECT: "correct the books",
    Kind.WRITE_OFF: "write it off",
    Kind.REVERSE: "reverse the movement",
    Kind.DISPUTE: "dispute it",
}
"""What is proposed for a case."""

CLOSED = (State.RESOLVED, State.HEALED)
"""States of cases that nobody need look into any more."""

POSITION_STATES = {
    "outside": "not signed here",
    "unsigned": "to be signed",
    "half": "signed by one",
    "differs": "signed otherwise",
    "signed": "signed by both",
    "settled": "settled",
}

TONES = {
    "in_force": "ok",
    "agreed": "ok",
    "resolved": "ok",
    "settled": "ok",
    "healed": "ok",
    "differs": "refused",
    "disputed": "refused",
    "none": "refused",
}
"""How states are coloured; those that are not here are on their way."""

_PROPOSE = (
    "An officer of either bank proposes how it is resolved, and a second one of it confirms.",
    'propose {} --kind correct --words "WHAT IS DONE, BY WHOM, UNTIL WHEN" --key OFFICER.json',
)
_DECLINE = ("Or one officer of this bank turns it down.", "decline {} --key OFFICER.json")
_WITHDRAW = ("Or one officer of this bank takes it back.", "withdraw {} --key OFFICER.json")

ACTS: dict[tuple[State, bool], tuple[tuple[str, str], ...]] = {
    (State.OPEN, False): (_PROPOSE,),
    (State.DISPUTED, False): (_PROPOSE,),
    (State.DISPUTED, True): (_PROPOSE,),
    (State.PROPOSED, True): (
        ("A second officer of this bank confirms it.", "confirm {} --key OFFICER.json"),
        _WITHDRAW,
    ),
    (State.PROPOSED, False): (
        ("A second officer of the other bank has yet to confirm it.", ""),
        _DECLINE,
    ),
    (State.OFFERED, True): (
        ("Two officers of the other bank have yet to accept it.", ""),
        _WITHDRAW,
    ),
    (State.OFFERED, False): (
        (
            "An officer of this bank accepts it, and a second one confirms.",
            "accept {} --key OFFICER.json",
        ),
        _DECLINE,
    ),
    (State.ACCEPTED, True): (
        ("A second officer of the other bank has yet to confirm that it is accepted.", ""),
        _WITHDRAW,
    ),
    (State.ACCEPTED, False): (
        (
            "A second officer of this bank confirms that it is accepted.",
            "confirm {} --key OFFICER.json",
        ),
        _DECLINE,
    ),
}
"""What may be done next, by the state of a case and whether this bank proposes: what it is, and
the words of the command behind `hansa pair case`, where it is this bank’s turn."""

MOVES = {
    State.OPEN: "turned down, or took back, what was proposed",
    State.PROPOSED: "proposed, with one officer’s signature, to {}",
    State.OFFERED: "offered, with two officers’ signatures, to {}",
    State.ACCEPTED: "accepted, with one officer’s signature, to {}",
    State.RESOLVED: "accepted, with two officers’ signatures, to {}: resolved",
    State.DISPUTED: "disputed it, or went back to the dispute",
}
"""What a bank did when a case came into a state; `{}` is the kind of resolution."""

VERDICTS = {
    "differs": "differs",
    "alike": "equal by the rules",
    "aside": "differs, not compared",
    "same": "",
    "alone": "",
}
"""How two sides of a field compare."""
