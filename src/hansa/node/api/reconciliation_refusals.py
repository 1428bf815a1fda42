"""What each refusal of a contract of reconciliation means; part of `refusals`."""

from __future__ import annotations

from hansa.node.api.advice import Advice

RECONCILIATION: dict[str, Advice] = {
    "agreements.UNKNOWN_AGREEMENT": Advice(
        "There is no such agreement: it was never proposed, was declined, or is swept.",
        "Check its name: it is that of both parties, the terms and the days.",
    ),
    "agreements.NOT_A_PARTY": Advice(
        "The agreement is between others.", "Act as one of its parties."
    ),
    "agreements.SAME_PARTY": Advice(
        "Both parties are the same account.", "Name another institution."
    ),
    "agreements.NOT_YOURS_TO_ACCEPT": Advice(
        "Who proposed an agreement does not accept it, too.",
        "Let the other party accept it.",
        "the other party",
    ),
    "agreements.WRONG_STATE": Advice(
        "The agreement does not stand where this can follow: only what is proposed is accepted or "
        "declined, only what is in force is ended, and only then is anything posted.",
        "Look at the agreement; the fact `state` says where it stands.",
    ),
    "agreements.STILL_ON_RECORD": Advice(
        "The agreement has not ended, or must stay on record for now.",
        "Sweep it later.",
    ),
    "agreements.ROWS_REMAIN": Advice(
        "Windows, cases or positions of the agreement are still on record.",
        "Sweep these first; the fact `rows` says how many there are.",
    ),
    "agreements.AGREEMENT_EXISTS": Advice(
        "The same parties have proposed the same terms and days already.",
        "Accept that one, or commit to other terms.",
    ),
    "cases.UNKNOWN_CASE": Advice(
        "No such case of this agreement is on record.",
        "Check its id, or open it first.",
    ),
    "cases.STILL_ON_RECORD": Advice(
        "The case is not closed, or must stay on record for now.",
        "Sweep it later.",
    ),
    "cases.WRONG_PARTY": Advice(
        "It is the other party’s turn: who proposes confirms and withdraws, the other one accepts "
        "and declines.",
        "Let the other party do it; the fact `proposer` names who proposes.",
    ),
    "cases.WRONG_STATE": Advice(
        "The case does not stand where this can follow.",
        "Look at the case; the fact `state` says where it stands.",
    ),
    "cases.OTHER_TERMS": Advice(
        "What is proposed by now is something else.",
        "Look at the case, and sign the terms in the fact `terms` if they are right.",
    ),
    "cases.SAME_OFFICER": Advice(
        "Four eyes have not seen it: the same key signed before, or for the other party, or a key "
        "that signed before is none of this party’s any more.",
        "Let another officer of this party sign.",
        "the sender, with other keys",
    ),
    "cases.TOO_MANY_CASES": Advice(
        "The party has opened as many cases as there are or were breaks in the window.",
        "Check the window; what is one break is one case.",
    ),
    "cases.CASE_EXISTS": Advice(
        "The case is open already, perhaps by the other party: both make the same id of a break.",
        "Go on with that one.",
    ),
    "reconciliation.UNKNOWN_WINDOW": Advice(
        "Nothing of this window is on record: nobody posted in it, or it is swept.",
        "Check agreement and number.",
    ),
    "reconciliation.STILL_ON_RECORD": Advice(
        "The window is not agreed, or must stay on record for now.",
        "Sweep it later.",
    ),
    "reconciliation.NOT_FORWARD": Advice(
        "The party’s watermark is there already, or further on; it never goes back.",
        "Nothing, or advance it beyond the number in the fact `following`.",
    ),
    "reconciliation.TOO_FAR_AHEAD": Advice(
        "The window is more than 16 beyond the party’s own watermark.",
        "Post what is missing, and advance the watermark step by step.",
    ),
    "reconciliation.OUT_OF_ORDER": Advice(
        "An earlier window is not agreed yet.",
        "Agree on the window in the fact `following` first.",
    ),
    "reconciliation.NOT_CLOSED": Advice(
        "Not both watermarks have passed the window.",
        "Wait until both parties say that all is posted.",
    ),
    "reconciliation.ALREADY_AGREED": Advice(
        "Both parties have agreed on the window: nothing is added to it.",
        "Post what came later in the window in the fact `following`, or in a later one.",
    ),
    "reconciliation.OUT_OF_DATE": Advice(
        "Entries came in since the result was worked out.",
        "Work it out anew, with the numbers of entries in the facts.",
    ),
    "reconciliation.NOT_OPEN": Advice(
        "Nothing of this party is open under the tag, its buckets are posted already, or it is "
        "named twice.",
        "Leave out the one in the fact `tag`.",
    ),
    "reconciliation.UNKNOWN_TAG": Advice(
        "A tag or bucket that is to be swept is not there, or named twice.",
        "Name those that are on record, each once.",
    ),
    "positions.UNKNOWN_POSITION": Advice(
        "Neither party has signed such a position.",
        "Check window and asset.",
    ),
    "positions.STILL_ON_RECORD": Advice(
        "The position is not settled, or must stay on record for now.",
        "Sweep it later.",
    ),
    "positions.WINDOW_NOT_AGREED": Advice(
        "The parties have not agreed on the window, or it is swept.",
        "Agree on its result first.",
    ),
    "positions.NOT_SIGNED_BY_BOTH": Advice(
        "The parties have not signed the same position.",
        "Let both sign the same commitment first.",
    ),
    "positions.ALREADY_SIGNED_BY_BOTH": Advice(
        "Both parties have signed the same position, which is final.",
        "Settle it.",
    ),
    "positions.ALREADY_SETTLED": Advice(
        "The position is settled already.",
        "Nothing; the fact `amount_minor` says by how much.",
        "nobody",
    ),
    "positions.WRONG_OPENING": Advice(
        "Payer, amount and salt are not those to which both parties committed.",
        "Take the ones that were worked out with the commitment.",
    ),
    "positions.NOT_PAID": Advice(
        "Earlier calls of the transaction have not moved enough between the vaults for it.",
        "Move the amount by `currency.move_vault` in an earlier call of the same transaction.",
    ),
}
"""By contract, in order of precedence."""
