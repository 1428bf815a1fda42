"""What each refusal of a contract means, who must act, and what to do.

By contract, in order of precedence. Between backticks is what is typed as it is.
"""

from __future__ import annotations

from hansa.node.api.advice import Advice as Advice
from hansa.node.api.identity_refusals import IDENTITY
from hansa.node.api.reconciliation_refusals import RECONCILIATION

REFUSALS: dict[str, Advice] = {
    "payments.SAME_WALLET": Advice("Payer and payee are the same wallet.", "Name another payee."),
    "payments.UNKNOWN_PAYMENT": Advice(
        "No payment of this payer with this reference is on record.",
        "Check payer and reference; its time on record may be over.",
    ),
    "payments.WRONG_STATE": Advice(
        "The payment does not stand where this can follow: it was taken, given back or refunded "
        "already, or it is a conversion, or itself a refund.",
        "Look at the payment’s transactions.",
    ),
    "payments.STILL_ON_RECORD": Advice(
        "The payment must stay on record for now: it is held, or its time is not over.",
        "Sweep it later.",
    ),
    "payments.HOLD_EXPIRED": Advice(
        "The hold ended before it was taken.", "Ask the payer for a new payment."
    ),
    "payments.OVER_HOLD": Advice(
        "More would have been taken than is held.", "Take at most what is held."
    ),
    "payments.OVER_REFUND": Advice(
        "More would have been refunded than was paid.",
        "Refund at most what is left: the fact `refundable_minor`.",
    ),
    "payments.ID_USED": Advice(
        "The payer has used this reference for another payment already.",
        "If this is a repetition, it was paid: look it up. Else use a new reference.",
    ),
    "payments.WRONG_EXPIRY": Advice(
        "The hold would end in the past, or later than policy allows.",
        "Choose an end in the future, within `payments.hold_days_max`.",
    ),
    "balances.INSUFFICIENT_FUNDS": Advice(
        "The wallet held less than was to be spent.", "Check the balance; held money is not free."
    ),
    "balances.SINGLE_LIMIT": Advice(
        "The amount is above what a wallet of this category may pay at once.",
        "Pay less, or have the operator raise the category.",
    ),
    "balances.DAY_LIMIT": Advice(
        "The wallet would have spent more today than its category may in a day.",
        "Wait for the zone’s midnight, or pay less.",
    ),
    "balances.YEAR_LIMIT": Advice(
        "The wallet would have spent more this year than its category may in a year.",
        "Wait for the new year, or have the operator raise the category.",
    ),
    "balances.BALANCE_LIMIT": Advice(
        "The receiving wallet would have held more than its category may.",
        "Pay less, or to another wallet.",
    ),
    "wallets.UNKNOWN_WALLET": Advice(
        "There is no wallet with this address.", "Check the address; an operator opens wallets."
    ),
    "wallets.WALLET_EXISTS": Advice(
        "There is a wallet with this address already, perhaps a closed one.", "Use another key."
    ),
    "wallets.CLOSED": Advice("The wallet is closed for good.", "Use another wallet."),
    "wallets.UNPROVEN_CATEGORY": Advice(
        "A category as good as this takes a credential: policy (wallet.unproven_category) says "
        "which is the best without.",
        "Give the one in the fact best, and have the holder present a credential to the operator.",
    ),
    "wallets.FROZEN": Advice(
        "The wallet is frozen, by its owner or by order: no money leaves or enters it.",
        "The owner ends a freeze of its own; an order only its authority.",
        "the owner, or the authority",
    ),
    "wallets.NOT_FROZEN": Advice(
        "The wallet is not frozen, or not by an order of this authority.", "Nothing.", "nobody"
    ),
    "wallets.TOO_MANY_ORDERS": Advice(
        "As many legal orders stand on the wallet as it can carry: eight.",
        "Wait until one is lifted.",
    ),
    "wallets.NOT_EMPTY": Advice(
        "The wallet still holds money, free or held.", "Pay or cash it out, and void its holds."
    ),
    "currency.SAME_VAULT": Advice("Payer and payee are the same vault.", "Name another payee."),
    "currency.UNKNOWN_ASSET": Advice("There is no such asset.", "Check the name."),
    "currency.ASSET_EXISTS": Advice("There is an asset of this name already.", "Use another name."),
    "currency.WRONG_NAME": Advice(
        "The asset’s name is not its currency’s code of three letters, or for a deposit that code, "
        "a point and a short name.",
        "Name it so: `MOP`, or `MOP.north`.",
    ),
    "currency.WRONG_ISSUER": Advice(
        "This institution may not owe money of this regime: M0 is the central bank’s alone, "
        "deposits are not, and its officers’ vote cannot touch others’ money.",
        "Name the right issuer, or let that one sign.",
    ),
    "currency.OVER_QUOTA": Advice(
        "More would have been issued to the operator than its quota allows.",
        "Redeem first, or have the central bank raise the quota.",
        "the operator, or the central bank",
    ),
    "currency.INSUFFICIENT_VAULT": Advice(
        "The operator’s vault held less than was to leave it.", "Check the vault’s balance."
    ),
    "currency.OVERFLOW": Advice(
        "More money of this asset would exist, or one vault would have ended more, than the ledger "
        "can count: 2⁶³ − 1 minor units.",
        "Issue less; let another vault end it.",
    ),
    "members.NOT_A_MEMBER": Advice("There is no member with this address.", "Check the address."),
    "members.SUSPENDED": Advice(
        "The member is suspended.", "It may act again when governance reinstates it.", "governance"
    ),
    "members.WRONG_ROLE": Advice(
        "The member has not the role that this takes.",
        "Let one act that has the role, or let governance give it.",
        "the sender, or governance",
    ),
    "members.ALREADY_MEMBER": Advice("The institution is a member already.", "Nothing.", "nobody"),
    "members.NOT_SUSPENDED": Advice("The member is not suspended.", "Nothing.", "nobody"),
    "members.CENTRAL_BANK_FIXED": Advice(
        "Who is the central bank was fixed when the network began.", "Leave the role out."
    ),
    "members.WEIGHT_NEEDS_VALIDATOR": Advice(
        "Only a validator has voting power.", "Set the weight to 0 first, or give the role."
    ),
    "members.WEIGHT_TOO_LARGE": Advice(
        "The voting power is larger than any member may have: 2⁴⁰.", "Choose a smaller weight."
    ),
    "members.TOO_MANY_MEMBERS": Advice(
        "The network has as many members as it can have: 4,096.",
        "Nothing: none can join.",
        "nobody",
    ),
    "members.TOO_MANY_VALIDATORS": Advice(
        "The network has as many validators as it can have: 128.", "Take one’s weight first."
    ),
    "members.POWER_CHANGE": Advice(
        "A third of the voting power or more would have changed within a day, or it would have "
        "changed more than 64 times.",
        "Execute it again after the fact `ready_ms`, when enough of the earlier changes are 24 "
        "hours old; without it, take smaller steps. It is the third where three times the fact "
        "`moved` is the fact `total` or more, else the 64 times.",
    ),
    "governance.UNKNOWN_PROPOSAL": Advice(
        "There is no proposal with this number, or it was swept.", "Look the number up."
    ),
    "governance.WRONG_STATE": Advice(
        "The proposal does not stand where this can follow.", "Look at its state and times."
    ),
    "governance.LOCK_OVER": Advice(
        "The time in which the proposal could be stopped is over.", "Nothing.", "nobody"
    ),
    "governance.LOCKED": Advice(
        "The proposal’s time lock has not ended.",
        "Sign it anew and send it after the fact `ready_ms`: an envelope counts once.",
    ),
    "governance.UNKNOWN_ACTION": Advice(
        "No proposal can do this.", "Use one of the actions of docs/reference/governance.md."
    ),
    "governance.WRONG_ARGUMENTS": Advice(
        "What the proposal would do is not fully said, or not in the one encoding.",
        "Send an array of the action’s fields.",
    ),
    "governance.NOT_CARRIED": Advice(
        "Fewer officers approved than it takes now: the threshold was raised since, or keys that "
        "approved were removed, lost weight, or may not sign for so much.",
        "Propose it anew.",
    ),
    "governance.NOT_PROPOSER": Advice(
        "This member may make no proposal of this class: it is neither a validator with weight nor "
        "the central bank or, for money, its officer.",
        "Let one of them propose.",
    ),
    "governance.NOT_ELECTOR": Advice(
        "This voter has no vote on this proposal: it had no weight when that was made, or "
        "is not in standing now.",
        "Let an elector vote.",
    ),
    "governance.ALREADY_VOTED": Advice(
        "This voter has voted or objected already.", "Nothing: a vote cannot be changed.", "nobody"
    ),
    "governance.TOO_MANY_PROPOSALS": Advice(
        "The proposer has too many proposals that have not ended: 32.", "Wait for one to end."
    ),
    "governance.HEIGHT_NOT_AHEAD": Advice(
        "The block from which the contract would be in force is past.", "Propose a later one."
    ),
    "governance.VERSION_NOT_NEWER": Advice(
        "The version or its height is not above what is in force, or waits.", "Raise both."
    ),
    "governance.TOO_MANY_CONTRACTS": Advice(
        "There are too many contracts, 64, or versions that wait, 4.", "Wait until one is in force."
    ),
    "governance.CODE_NOT_REPORTED": Advice(
        "Too few validators reported to have the contract’s code: it takes more than ⅔ of "
        "the power.",
        "Install it and report it, then let the proposal be executed again.",
        "the validators",
    ),
    "nodes.UNSOUND": Advice(
        "What the node says of itself cannot be: a consensus key that could sign nothing, a "
        "channel key that has not 32 bytes, a peer twice, or a url that is not printable "
        "ASCII behind http:// or https://.",
        "Correct what the fact `detail` names.",
    ),
    "nodes.KEY_NEEDED": Advice(
        "The member has voting power and would take its consensus key away: its vote on "
        "blocks would be missing for good.",
        "Publish a new consensus key, or let governance take the weight first.",
        "the sender, or governance",
    ),
    "nodes.KEY_USED": Advice(
        "The consensus key is or was in use, by another member or by this one: one vote would"
        " count twice, or a key come back that others may hold.",
        "Make a new consensus key.",
    ),
    "nodes.KEY_RECENT": Advice(
        "The validator changed its consensus key less than a day of ledger time ago: each change "
        "is one of validators, which whoever verifies from genesis follows.",
        "Wait until the time in the fact `until_ms`; if the key is in wrong hands, let governance "
        "take the weight first, and give it back with the new key.",
        "the sender, or governance",
    ),
    "nodes.PEER_TAKEN": Advice(
        "Another member has this peer already: whoever connects must be of one member.",
        "Use the node’s own id; let the other member take it out if it is this member’s.",
    ),
    "nodes.UNPROVEN": Advice(
        "A consensus key or the key of a peer has not signed that it is the member’s: it may be "
        "another’s.",
        "Send the proofs that were printed when the keys were made, as they are.",
    ),
    "nodes.LAST_VALIDATOR": Advice(
        "The power of the only validator with a consensus key would be taken: no block could "
        "follow.",
        "Let another validator publish its node first.",
        "the validators",
    ),
    "accounts.ACCOUNT_EXISTS": Advice("The address has an account already.", "Use `set_keys`."),
    "accounts.NO_ACCOUNT": Advice(
        "The address has no account: its one key governs it.", "Use `create` first."
    ),
    "accounts.WRONG_STATE": Advice(
        "The recovery does not stand where this can follow: none is under way, or one is.",
        "Look at the account.",
    ),
    "accounts.RECOVERY_PENDING": Advice(
        "A recovery is under way; keys and guardians stand still meanwhile.",
        "Veto the recovery first.",
        "the account’s owner",
    ),
    "accounts.TOO_EARLY": Advice(
        "The owner’s time to stop the recovery has not ended.",
        "Complete it after `complete_from_ms`.",
    ),
    "accounts.NOT_GUARDIANS": Advice(
        "Too few of the account’s guardians signed, or it has none.",
        "Let more of them sign.",
        "the guardians",
    ),
    "accounts.UNKNOWN_KEY": Advice("The account has no such key.", "Name one of its keys."),
    "accounts.TOO_MANY_KEYS": Advice(
        "The account would have too many keys: more than 16.", "Name fewer."
    ),
    "accounts.DUPLICATE_KEY": Advice("A key is named twice.", "Name each once."),
    "accounts.WRONG_PURPOSES": Advice(
        "A key has a purpose that there is not, or none.",
        "Use the purposes of docs/reference/contracts.md, `accounts`.",
    ),
    "accounts.LOCKED_OUT": Advice(
        "Nobody could act for the account any more: the keys that may manage it would not reach "
        "the threshold.",
        "Lower the threshold, or add keys.",
    ),
    "accounts.NEW_KEYS_NOT_SIGNED": Advice(
        "The new keys did not sign up to the new threshold.", "Let them sign, too."
    ),
    "accounts.WRONG_GUARDIANS": Advice(
        "The guardians, or how many of them it takes, cannot be so: one is named twice or is the "
        "account itself, there are more than 16, or too few to reach their threshold.",
        "Name others.",
    ),
    "accounts.WRONG_DELAY": Advice(
        "The owner’s time to stop a recovery is too short or too long.", "Choose 1 to 366 days."
    ),
    "policy.UNKNOWN_KEY": Advice(
        "There is no policy of this name.", "Use one of the keys of docs/reference/governance.md."
    ),
    "policy.VALUES_OUT_OF_RANGE": Advice(
        "The values are none that this policy can have: too many, too few, or one out of range.",
        "See its rule in docs/reference/governance.md.",
    ),
    "policy.NOT_IN_FUTURE": Advice(
        "The policy would have taken effect in the past.", "Choose a moment after the time lock."
    ),
    "policy.TOO_MANY_ENTRIES": Advice(
        "Too many changes of this policy are on record: 64, none superseded for 15 minutes.",
        "Wait until one is superseded.",
    ),
    **IDENTITY,
    **RECONCILIATION,
    "risk.UNKNOWN_MODEL": Advice(
        "The operator never registered such a model; 32 zero bytes are none.",
        "Check the hash of its manifest, or propose it.",
    ),
    "risk.WRONG_STATE": Advice(
        "The model does not stand where this can follow: only what is approved is put in force, "
        "only what is suspended or new is proposed, and what is retired is given up for good.",
        "Look at the model; the fact `state` says where it stands.",
    ),
    "risk.STILL_IN_FORCE": Advice(
        "The model still decides for its operator.",
        "Declare what is in force without it, then retire it; to stop it at once, suspend it.",
    ),
    "risk.SAME_OFFICER": Advice(
        "Four eyes have not seen the model: the same key proposed it, or the one that did is none "
        "of an officer of this operator any more.",
        "Let another officer of this operator sign.",
        "the sender, with other keys",
    ),
    "risk.POLICY_NOT_APPROVED": Advice(
        "Four eyes have not seen the policy: no two officers of this operator have signed for it, "
        "or it was withdrawn since.",
        "Let two officers sign the declaration; the fact `policy` says for which.",
        "the sender, with other keys",
    ),
    "risk.ATTESTATION_REQUIRED": Advice(
        "A payment of this size needs an attested risk decision by the operator of the wallet that "
        "pays, and came without one, or through somebody else.",
        "Submit it through that operator.",
    ),
    "risk.NO_MODEL_IN_FORCE": Advice(
        "A payment of this size needs a risk decision by a registered model, and its operator has "
        "none in force: it suspended the last one, or never declared any.",
        "Pay less for now, or try again once the operator has put a model in force.",
        "the operator of the wallet that pays",
    ),
    "kernel.NOT_AUTHORIZED": Advice(
        "The keys that signed may not do this for that account.",
        "Let the right keys sign, up to its threshold; the facts name account and purpose.",
        "the sender, with other keys",
    ),
    "kernel.OVER_KEY_LIMIT": Advice(
        "The amount is above what the signing keys may sign for.",
        "Let a key without a limit sign, or pay less.",
        "the sender, with other keys",
    ),
    "kernel.UNKNOWN_COMMAND": Advice(
        "No contract in force knows this command.", "Check its names; it may come in force later."
    ),
    "kernel.TOO_MANY_EVENTS": Advice(
        "It would have caused more events than one transaction may.", "Send fewer calls."
    ),
    "kernel.TOO_MANY_ROWS": Advice(
        "The sponsor keeps as many rows on the ledger as its quota allows.",
        "Sweep what is over, or ask governance for more.",
        "the sponsor",
    ),
    "kernel.TOO_MANY_READS": Advice(
        "It would have read more of the ledger than one transaction may.", "Send fewer calls."
    ),
    "kernel.TOO_MANY_WRITES": Advice(
        "It would have changed more of the ledger than one transaction may.", "Send fewer calls."
    ),
    "kernel.KEY_TOO_LONG": Advice(
        "A name or reference in it is too long to be kept.", "Use one of at most 255 bytes."
    ),
}
"""Which rule said no."""
