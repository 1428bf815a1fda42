"""What commands, events and refusals mean, in words.

In a sentence, `{field}` stands for a field of the command or event; `{moved}`, `{from}` and `{to}`
come from its balance changes. How a field is written follows from its name and type: addresses
are named parties, `*_minor` is money, `*_ms` a moment.
"""

from __future__ import annotations

COMMANDS: dict[str, str] = {
    "payments.transfer": "Pay {amount_minor} from {payer} to {payee}, reference {end_to_end_id}",
    "payments.hold": "Reserve {amount_minor} in the wallet {payer} for {payee} until {expires_ms}, "
    "reference {end_to_end_id}",
    "payments.post": "Take {amount_minor} of the hold {end_to_end_id} of {payer}",
    "payments.void": "Give the hold {end_to_end_id} back to {payer}",
    "payments.refund": "Refund {amount_minor} of the payment {end_to_end_id} to {payer}, "
    "reference {refund_id}",
    "payments.cash_in": "Convert {amount_minor} from the vault of {operator} into the wallet "
    "{wallet}, reference {end_to_end_id}",
    "payments.cash_out": "Convert {amount_minor} from the wallet {wallet} into its operator’s "
    "vault, reference {end_to_end_id}",
    "payments.sweep": "Remove the record of the payment {end_to_end_id} of {payer}",
    "wallets.open": "Open the wallet {wallet} of category {category} at {operator}",
    "wallets.set_category": "Put the wallet {wallet} into category {category}",
    "wallets.freeze": "Freeze the wallet {wallet} by order of {authority}, order {order_hash}",
    "wallets.unfreeze": "Lift the order of {authority} on the wallet {wallet}",
    "wallets.self_freeze": "Freeze one’s own wallet {wallet}",
    "wallets.self_unfreeze": "End the freeze of one’s own wallet {wallet}",
    "wallets.close": "Close the wallet {wallet}",
    "currency.define": "Create the asset {asset} in {currency}, owed by {issuer}",
    "currency.set_quota": "Let at most {quota_minor} be outstanding to {operator}",
    "currency.issue": "Issue {amount_minor} into the vault of {operator}",
    "currency.redeem": "Redeem {amount_minor} from the vault of {operator}",
    "currency.destroy": "End {amount_minor} that lies in the issuer’s own vault",
    "currency.move_vault": "Move {amount_minor} from the vault of {payer} to that of {payee}",
    "governance.propose": "Make a proposal for {proposer}",
    "governance.vote": "Vote on proposal {number} as {voter}",
    "governance.veto": "Object to proposal {number} as {voter}",
    "governance.execute": "Carry out proposal {number}",
    "governance.sweep": "Remove the ended proposal {number}",
    "governance.report_code": "Report for {validator} to have version {version} of the contract "
    "{contract}",
    "accounts.create": "Give {address} several keys",
    "accounts.set_keys": "Replace the keys of {address}",
    "accounts.rotate": "Replace a key of {address} by {new_key}",
    "accounts.set_guardians": "Name the guardians of {address}",
    "accounts.begin_recovery": "Begin the recovery of {address} by its guardians",
    "accounts.veto_recovery": "Stop the recovery of {address}",
    "accounts.complete_recovery": "Complete the recovery of {address}",
}
"""What was asked for, by `<contract>.<command>`."""

EVENTS: dict[str, str] = {
    "payments.Transferred": "{moved} moved from {from} to {to}, reference {end_to_end_id}.",
    "payments.Held": "{moved} of {from} is reserved for {payee} until {expires_ms}, reference "
    "{end_to_end_id}.",
    "payments.Posted": "{to} took {amount_minor} of the hold {end_to_end_id} of {payer}; what was "
    "left of it is free again.",
    "payments.Voided": "The hold {end_to_end_id} was given back: {moved} of {payer} is free again.",
    "payments.Refunded": "{to} got {moved} back from {from}; of the payment {end_to_end_id} "
    "{refunded_minor} is refunded by now.",
    "payments.Converted": "{moved} was converted from {from} to {to}, reference {end_to_end_id}.",
    "payments.Swept": "The record of the payment {end_to_end_id} of {payer} was removed.",
    "wallets.Opened": "{operator} opened the wallet {wallet} in category {category}.",
    "wallets.CategoryChanged": "The wallet {wallet} is in category {category} now.",
    "wallets.Frozen": "{authority} froze the wallet {wallet} by order {order_hash}.",
    "wallets.Unfrozen": "The order of {authority} on the wallet {wallet} was lifted.",
    "wallets.SelfFrozen": "The owner froze the wallet {wallet}.",
    "wallets.SelfUnfrozen": "The owner ended the freeze of the wallet {wallet}.",
    "wallets.Closed": "The wallet {wallet} was closed for good.",
    "currency.Defined": "The asset {asset} was created; {issuer} owes it.",
    "currency.QuotaSet": "At most {quota_minor} may be outstanding to {operator} now.",
    "currency.Issued": "{amount_minor} came into being in the vault of {operator}.",
    "currency.Redeemed": "{amount_minor} left the vault of {operator} and ended.",
    "currency.Destroyed": "{amount_minor} in the vault of {issuer} ended.",
    "currency.VaultMoved": "{amount_minor} moved from the vault of {payer} to that of {payee}.",
    "governance.Proposed": "{proposer} made proposal {number}; voting ends {closes_ms}.",
    "governance.Voted": "{voter} voted on proposal {number} with a weight of {weight}.",
    "governance.Passed": "Proposal {number} was carried; it can be carried out from {ready_ms} to "
    "{expires_ms}.",
    "governance.Rejected": "Proposal {number} can no longer be carried.",
    "governance.Objected": "{voter} objected to proposal {number} with a weight of {weight}.",
    "governance.Vetoed": "Proposal {number} was stopped; the last objection was that of {voter}.",
    "governance.Executed": "Proposal {number} was carried out.",
    "governance.Swept": "The ended proposal {number} was removed.",
    "governance.CodeReported": "{validator} has version {version} of the contract {contract}.",
    "governance.ContractActivated": "Version {version} of the contract {contract} is in force from "
    "block {from_height}.",
    "members.MemberAdmitted": "{address} joined as {name}.",
    "members.MemberSuspended": "{address} may not act in its roles for now.",
    "members.MemberReinstated": "The suspension of {address} ended.",
    "members.RolesSet": "The roles of {address} changed.",
    "members.WeightSet": "{address} has a voting power of {weight} now.",
    "members.RosterChanged": "The validators and their voting power changed, version {version}.",
    "policy.PolicyScheduled": "The policy {name} takes new values from {effective_ms}.",
    "accounts.KeysSet": "{address} has new keys.",
    "accounts.KeyRotated": "A key of {address} was replaced by {new_key}.",
    "accounts.GuardiansSet": "{address} has new guardians.",
    "accounts.RecoveryBegun": "The guardians of {address} announced new keys; the owner may stop "
    "them until {complete_from_ms}.",
    "accounts.RecoveryVetoed": "The recovery of {address} was stopped.",
}
"""What happened, by `<contract>.<event>`."""

ACTIONS: dict[str, str] = {
    "admit_member": "Admit {name} as a member",
    "suspend_member": "Suspend {address}",
    "reinstate_member": "End the suspension of {address}",
    "set_roles": "Give {address} new roles",
    "set_weight": "Give {address} a voting power of {weight}",
    "set_policy": "Set the policy {key} from {effective_ms}",
    "activate_contract": "Put version {version} of the contract {contract} in force from block "
    "{from_height}",
    "set_member_keys": "Replace the lost keys of {address}",
    "define": COMMANDS["currency.define"],
    "set_quota": COMMANDS["currency.set_quota"],
    "issue": COMMANDS["currency.issue"],
    "redeem": COMMANDS["currency.redeem"],
    "destroy": COMMANDS["currency.destroy"],
}
"""What a proposal would do, by its kind."""

REFUSALS: dict[str, str] = {
    "kernel.TOO_MANY_READS": "It would have read more of the ledger than one transaction may.",
    "kernel.TOO_MANY_WRITES": "It would have changed more of the ledger than one transaction may.",
    "kernel.NOT_AUTHORIZED": "The keys that signed may not do this for that account.",
    "kernel.OVER_KEY_LIMIT": "The amount is above what the signing keys may sign for.",
    "kernel.UNKNOWN_COMMAND": "No contract in force knows this command.",
    "kernel.TOO_MANY_EVENTS": "It would have caused more events than one transaction may.",
    "kernel.KEY_TOO_LONG": "A name or reference in it is too long to be kept.",
    "kernel.TOO_MANY_ROWS": "The sponsor keeps as many rows on the ledger as its quota allows.",
    "payments.SAME_WALLET": "Payer and payee are the same wallet.",
    "payments.ID_USED": "The payer has used this reference for another payment already.",
    "payments.UNKNOWN_PAYMENT": "No payment of this payer with this reference is on record.",
    "payments.WRONG_STATE": "The payment does not stand where this can follow: it may have been "
    "taken, given back or refunded already.",
    "payments.ATTESTATION_REQUIRED": "A payment of this size needs its operator’s attested risk "
    "decision, and came without one.",
    "payments.WRONG_EXPIRY": "The hold would end in the past, or later than policy allows.",
    "payments.HOLD_EXPIRED": "The hold ended before it was taken.",
    "payments.OVER_HOLD": "More would have been taken than is held.",
    "payments.OVER_REFUND": "More would have been refunded than was paid.",
    "payments.STILL_ON_RECORD": "The payment must stay on record for now.",
    "balances.INSUFFICIENT_FUNDS": "The wallet held less than was to be spent.",
    "balances.SINGLE_LIMIT": "The amount is above what a wallet of this category may pay at once.",
    "balances.DAY_LIMIT": "The wallet would have spent more today than its category may in a day.",
    "balances.YEAR_LIMIT": "The wallet would have spent more this year than its category may in a "
    "year.",
    "balances.BALANCE_LIMIT": "The receiving wallet would have held more than its category may.",
    "wallets.UNKNOWN_WALLET": "There is no wallet with this address.",
    "wallets.WALLET_EXISTS": "There is a wallet with this address already.",
    "wallets.CLOSED": "The wallet is closed.",
    "wallets.FROZEN": "The wallet is frozen: no money leaves or enters it.",
    "wallets.NOT_FROZEN": "The wallet is not frozen.",
    "wallets.TOO_MANY_ORDERS": "As many legal orders stand on the wallet as it can carry.",
    "wallets.NOT_EMPTY": "The wallet still holds money.",
    "currency.UNKNOWN_ASSET": "There is no such asset.",
    "currency.ASSET_EXISTS": "There is an asset of this name already.",
    "currency.WRONG_NAME": "The asset’s name is not its currency’s code of three letters, or for a "
    "deposit that code, a point and a short name.",
    "currency.WRONG_ISSUER": "This institution may not owe money of this regime.",
    "currency.SAME_VAULT": "Payer and payee are the same vault.",
    "currency.OVER_QUOTA": "More would have been issued to the operator than its quota allows.",
    "currency.INSUFFICIENT_VAULT": "The operator’s vault held less than was to leave it.",
    "currency.OVERFLOW": "More money would exist, or have ended, than the ledger can count.",
    "members.NOT_A_MEMBER": "There is no member with this address.",
    "members.SUSPENDED": "The member is suspended.",
    "members.WRONG_ROLE": "The member has not the role that this takes.",
    "members.ALREADY_MEMBER": "The institution is a member already.",
    "members.NOT_SUSPENDED": "The member is not suspended.",
    "members.CENTRAL_BANK_FIXED": "Who is the central bank was fixed when the network began.",
    "members.WEIGHT_NEEDS_VALIDATOR": "Only a validator has voting power.",
    "members.WEIGHT_TOO_LARGE": "The voting power is larger than any member may have.",
    "members.TOO_MANY_MEMBERS": "The network has as many members as it can have.",
    "members.TOO_MANY_VALIDATORS": "The network has as many validators as it can have.",
    "members.POWER_CHANGE": "A third of the voting power or more would have changed within a day.",
    "policy.UNKNOWN_KEY": "There is no policy of this name.",
    "policy.VALUES_OUT_OF_RANGE": "The values are none that this policy can have.",
    "policy.NOT_IN_FUTURE": "The policy would have taken effect in the past.",
    "policy.TOO_MANY_ENTRIES": "Too many changes of this policy are on record.",
    "governance.UNKNOWN_ACTION": "No proposal can do this.",
    "governance.WRONG_ARGUMENTS": "What the proposal would do is not fully said.",
    "governance.UNKNOWN_PROPOSAL": "There is no proposal with this number.",
    "governance.WRONG_STATE": "The proposal does not stand where this can follow.",
    "governance.NOT_PROPOSER": "This member may make no proposal of this class.",
    "governance.NOT_ELECTOR": "This voter has no vote on this proposal.",
    "governance.ALREADY_VOTED": "This voter has voted already.",
    "governance.TOO_MANY_PROPOSALS": "The proposer has too many proposals that have not ended.",
    "governance.LOCK_OVER": "The time in which the proposal could be stopped is over.",
    "governance.LOCKED": "The proposal’s time lock has not ended.",
    "governance.NOT_CARRIED": "Fewer officers approved than it takes now.",
    "governance.HEIGHT_NOT_AHEAD": "The block from which the contract would be in force is past.",
    "governance.VERSION_NOT_NEWER": "The version is not newer than the one in force.",
    "governance.TOO_MANY_CONTRACTS": "There are too many contracts, or versions that wait.",
    "governance.CODE_NOT_REPORTED": "Too few validators reported to have the contract’s code.",
    "accounts.ACCOUNT_EXISTS": "The address has an account already.",
    "accounts.NO_ACCOUNT": "The address has no account.",
    "accounts.WRONG_STATE": "The recovery does not stand where this can follow.",
    "accounts.RECOVERY_PENDING": "A recovery is under way.",
    "accounts.TOO_EARLY": "The owner’s time to stop the recovery has not ended.",
    "accounts.NOT_GUARDIANS": "Too few of the account’s guardians signed.",
    "accounts.UNKNOWN_KEY": "The account has no such key.",
    "accounts.TOO_MANY_KEYS": "The account would have too many keys.",
    "accounts.DUPLICATE_KEY": "A key is named twice.",
    "accounts.WRONG_PURPOSES": "A key has a purpose that there is not, or none.",
    "accounts.LOCKED_OUT": "Nobody could act for the account any more.",
    "accounts.NEW_KEYS_NOT_SIGNED": "The new keys did not sign.",
    "accounts.WRONG_GUARDIANS": "The guardians, or how many of them it takes, cannot be so.",
    "accounts.WRONG_DELAY": "The owner’s time to stop a recovery is too short or too long.",
}
"""Which rule said no, by code."""

FACTS: dict[str, str] = {
    "available_minor": "Free in the wallet",
    "single_max_minor": "Most in one payment",
    "day_max_minor": "Most in a day",
    "day_spent_minor": "Spent today with it",
    "year_max_minor": "Most in a year",
    "year_spent_minor": "Spent this year with it",
    "balance_max_minor": "Most the wallet may hold",
    "balance_minor": "In the vault",
    "quota_minor": "Quota",
    "issued_minor": "Issued so far",
    "held_minor": "Held",
    "refundable_minor": "Can still be refunded",
    "from_minor": "Needed from",
    "amount_minor": "Amount",
    "expires_ms": "End",
    "ready_ms": "Can be carried out from",
    "purpose": "Right that it takes",
    "weight": "Weight of the keys that signed",
    "threshold": "Weight that it takes",
    "end_to_end_id": "Reference",
    "time_ms": "Time of the ledger",
}
"""What the facts of a refusal are called; a name that is not here is written as it is."""

PERMISSION = "Who sent it lacks the right; it takes other keys."
SENDER = "Nothing changed. Whoever sent it can mend it and send it again with a new nonce."
ALARM = "A contract failed; nothing changed. The node’s operator has an alarm to look into."

POLICIES: dict[str, str] = {
    "zone.offset_minutes": "The zone’s civil time, minutes east of UTC",
    "wallet.limits.1": "Limits of wallets of category I",
    "wallet.limits.2": "Limits of wallets of category II",
    "wallet.limits.3": "Limits of wallets of category III",
    "wallet.limits.4": "Limits of wallets of category IV",
    "payments.attestation_from_minor": "Smallest payment that needs an attested risk decision",
    "payments.refund_days": "How long a payment stays on record",
    "payments.hold_days_max": "How long money may be held",
    "sponsor.quota": "What a member may bring into blocks",
}
"""What a policy is about, by its name."""

CLASSES: dict[str, str] = {
    "membership": "Members, roles and voting power",
    "policy": "Policy values",
    "activation": "Contracts",
    "constitution": "Rules of governance itself",
    "keys": "New keys for a member that lost its own",
    "monetary": "Money: issue, quota, regime",
}
"""What a class of proposals is about."""

ROLES: dict[str, str] = {
    "central_bank": "Central bank",
    "operator": "Operator",
    "validator": "Validator",
    "department": "Department",
    "acquirer": "Merchant acquirer",
    "regulator": "Regulator",
}

CALLERS: dict[str, str] = {
    "customer": "customer",
    "operator": "operator",
    "member": "member",
    "central_bank": "central bank",
    "regulator": "regulator",
}
"""What whoever signed in is to this node, by the role of the key."""

REGIMES: dict[str, str] = {
    "m0": "central bank money (M0)",
    "deposit": "deposit money",
}
"""Whose liability an asset is, by its regime."""

PLACES: dict[str, str] = {
    "wallets": "With the public, in wallets",
    "held": "Held for payments under way",
    "vaults": "In the vaults of operators",
}
"""Where money is."""

LEDGERS: dict[str, str] = {
    "issued": "Issued",
    "vault": "Vault",
    "wallet": "Wallet",
    "held": "Held",
}
