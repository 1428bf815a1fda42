"""What commands, events and facts mean, in words; codes: `hansa.node.api.codes`.

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
    "nodes.publish": "Publish the node of {member}",
    "accounts.create": "Give {address} several keys",
    "accounts.set_keys": "Replace the keys of {address}",
    "accounts.rotate": "Replace a key of {address} by {new_key}",
    "accounts.set_guardians": "Name the guardians of {address}",
    "accounts.begin_recovery": "Begin the recovery of {address} by its guardians",
    "accounts.veto_recovery": "Stop the recovery of {address}",
    "accounts.complete_recovery": "Complete the recovery of {address}",
    "identity.create": "Begin the DID document of {address}",
    "identity.update": "Replace version {version} of the DID document of {address}",
    "identity.deactivate": "Deactivate the DID document of {address} for good",
    "identity.publish_keys": "Publish the bytes of public keys",
    "schemas.publish": "Publish version {version} of the credential type {name} for {owner}",
    "schemas.retire": "Retire version {version} of the credential type {name}",
    "evidence.notarise": "Put the hash {evidence_hash} on record for {notary}",
    "evidence.notarise_many": "Put hashes on record for {notary}",
    "evidence.cosign": "Sign the hash {evidence_hash} of {notary} as {cosigner}",
    "evidence.add_note": "Add the note {note_hash} of {author} to the hash {evidence_hash} "
    "of {notary}",
    "evidence.revoke": "Revoke the hash {evidence_hash} of {notary}",
    "status.create_list": "Begin status list {number} of {issuer} with {length} entries",
    "status.suspend": "Suspend credentials of {issuer} on its status list {number}",
    "status.revoke": "Revoke credentials of {issuer} on its status list {number}",
    "status.reinstate": "Reinstate credentials of {issuer} on its status list {number}",
    "consent.give": "Allow {recipient} what the terms {terms} say, for {holder}, until {until_ms}",
    "consent.delegate": "Hand the consent {parent} on to {recipient}, until {until_ms}",
    "consent.revoke": "Revoke the consent {consent_id} as {revoker}",
    "consent.record_exchange": "Record an exchange of data from {provider} under the "
    "consent {consent_id}",
    "consent.sweep": "Remove the record of the consent {consent_id}",
    "tiers.raise": "Lift the wallet {wallet} to category {category} at {operator}, "
    "until {until_ms}",
    "tiers.lower": "End the lift of the wallet {wallet} as {operator}: {reason}",
    "tiers.sweep": "Remove the record of the lift of the wallet {wallet}",
    "accreditation.accredit": "Accredit {issuer} to issue credentials of the type "
    "{credential_type} until {until_ms}; levels below it that it may accredit: {may_accredit}",
    "accreditation.suspend": "Suspend the accreditation of {issuer} for the type {credential_type}",
    "accreditation.reinstate": "Reinstate the accreditation of {issuer} for the type "
    "{credential_type}",
    "accreditation.revoke": "Revoke the accreditation of {issuer} for the type {credential_type}",
    "agreements.propose": "Propose, as {bank}, that {left} and {right} match their books by the "
    "terms {terms}",
    "agreements.accept": "Accept the agreement {agreement} as {bank}",
    "agreements.decline": "Turn the agreement {agreement} down as {bank}",
    "agreements.end": "End the agreement {agreement} as {bank}",
    "agreements.sweep": "Remove the ended agreement {agreement}",
    "cases.open": "Open the case {case_id} for a break of window {window}, as {bank}",
    "cases.propose": "Propose as {bank} how the case {case_id} is resolved: {kind}",
    "cases.accept": "Accept as {bank} how the case {case_id} is to be resolved",
    "cases.confirm": "Confirm a step of {bank} in the case {case_id} as a second officer",
    "cases.decline": "Turn down, as {bank}, what is proposed in the case {case_id}",
    "cases.withdraw": "Take back what {bank} proposes in the case {case_id}",
    "cases.sweep": "Remove the closed case {case_id}",
    "reconciliation.post": "Post entries of {bank} in window {window} of the agreement {agreement}",
    "reconciliation.advance": "Say that {bank} has posted all of the windows below {window} of "
    "the agreement {agreement}",
    "reconciliation.bracket": "Post buckets of breaks of {bank} in window {window} of the "
    "agreement {agreement}",
    "reconciliation.agree": "State the result of window {window} of the agreement {agreement} as "
    "{bank}",
    "reconciliation.sweep": "Remove the record of window {window} of the agreement {agreement}",
    "positions.sign": "Sign the net position in {asset} of window {window} of the agreement "
    "{agreement} as {bank}",
    "positions.settle": "Settle {amount_minor} of {payer} for window {window} of the agreement "
    "{agreement}",
    "positions.sweep": "Remove the record of the position in {asset} of window {window} of the "
    "agreement {agreement}",
    "risk.propose": "Propose the model {model} to decide on payments for {operator}",
    "risk.approve": "Approve, as a second officer of {operator}, its model {model}",
    "risk.declare": "Say what decides on payments for {operator} from now on",
    "risk.suspend": "Stop the model {model} of {operator} at once",
    "risk.withdraw": "Take the policy {policy} of {operator} back at once",
    "risk.retire": "Give up the model {model} of {operator} for good",
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
    "nodes.NodePublished": "{member} published its node.",
    "policy.PolicyScheduled": "The policy {name} takes new values from {effective_ms}.",
    "accounts.KeysSet": "{address} has new keys.",
    "accounts.KeyRotated": "A key of {address} was replaced by {new_key}.",
    "accounts.GuardiansSet": "{address} has new guardians.",
    "accounts.RecoveryBegun": "The guardians of {address} announced new keys; the owner may stop "
    "them until {complete_from_ms}.",
    "accounts.RecoveryVetoed": "The recovery of {address} was stopped.",
    "identity.Created": "{address} has a DID document.",
    "identity.Updated": "The DID document of {address} changed, version {version}.",
    "identity.Deactivated": "The DID document of {address} was deactivated for good.",
    "identity.KeysPublished": "The bytes of public keys were published.",
    "schemas.Published": "{owner} published version {version} of the credential type {name}.",
    "schemas.Retired": "Nobody should issue by version {version} of the credential type {name} "
    "any more.",
    "evidence.Notarised": "{notary} put the hash {evidence_hash} on record.",
    "evidence.ManyNotarised": "{notary} put hashes on record.",
    "evidence.Cosigned": "{cosigner} signed the hash {evidence_hash} of {notary}.",
    "evidence.NoteAdded": "{author} added note {number} to the hash {evidence_hash} of {notary}.",
    "evidence.Revoked": "{notary} no longer stands by the hash {evidence_hash}.",
    "status.ListCreated": "{issuer} began status list {number}.",
    "status.StatusSet": "Credentials of {issuer} on its status list {number} have another "
    "status now.",
    "consent.Given": "{giver} allowed {recipient} something of {holder}, until {until_ms}: "
    "consent {consent_id}.",
    "consent.Revoked": "{revoker} revoked the consent {consent_id}.",
    "consent.Exchanged": "{recipient} received data from {provider} under the consent "
    "{consent_id}.",
    "consent.Swept": "The record of the consent {consent_id} was removed; its time is over.",
    "tiers.Raised": "{operator} was shown a credential, and lifted the wallet {wallet} to category "
    "{category}, until {until_ms}.",
    "tiers.Lowered": "{operator} ended the lift of the wallet {wallet}: {reason}.",
    "tiers.Swept": "The record of the lift of the wallet {wallet} was removed; it is over.",
    "accreditation.Accredited": "{issuer} may issue credentials of the type "
    "{credential_type} until {until_ms}.",
    "accreditation.Suspended": "The accreditation of {issuer} for the type "
    "{credential_type} is suspended.",
    "accreditation.Reinstated": "{issuer} may issue credentials of the type "
    "{credential_type} again.",
    "accreditation.Revoked": "The accreditation of {issuer} for the type {credential_type} "
    "is revoked.",
    "agreements.Proposed": "{proposer} proposed that {left} and {right} match their books: "
    "agreement {agreement}.",
    "agreements.Accepted": "{left} and {right} match their books by the agreement {agreement}.",
    "agreements.Declined": "{bank} turned the agreement {agreement} down.",
    "agreements.Ended": "{bank} ended the agreement {agreement}.",
    "agreements.Swept": "The record of the agreement {agreement} was removed.",
    "cases.Opened": "{bank} opened the case {case_id} for a break of window {window}.",
    "cases.Moved": "The case {case_id} went on by {bank}: {kind}, {state}.",
    "cases.Healed": "A later entry matched: the case {case_id} is closed.",
    "cases.Swept": "The record of the case {case_id} was removed.",
    "reconciliation.Posted": "{bank} posted {entries} entries in window {window}, of which "
    "{matched} match.",
    "reconciliation.Advanced": "{bank} has posted all of the windows below {window}.",
    "reconciliation.Near": "{bank} posted buckets of {tags} breaks in window {window}, of which "
    "{near} are near one of the other party’s.",
    "reconciliation.Stated": "{bank} stated what came out of window {window}.",
    "reconciliation.Agreed": "Both parties came to the same result of window {window}.",
    "reconciliation.Swept": "{rows} rows of window {window} were removed.",
    "positions.Signed": "{bank} signed the net position in {asset} of window {window}.",
    "positions.Settled": "{payer} paid {payee} {amount_minor} for window {window}.",
    "positions.Swept": "The record of the position in {asset} of window {window} was removed.",
    "risk.Proposed": "An officer of {operator} proposed the model {model}.",
    "risk.Approved": "Two officers of {operator} have signed for the model {model}.",
    "risk.PolicyApproved": "Two officers of {operator} have signed for its policy {policy}.",
    "risk.Declared": "What decides on payments for {operator} changed: version {version}.",
    "risk.Suspended": "The model {model} of {operator} is stopped.",
    "risk.Withdrawn": "{operator} has taken its policy {policy} back.",
    "risk.Retired": "{operator} has given up the model {model}.",
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
    "accredit": COMMANDS["accreditation.accredit"],
    "suspend_accreditation": COMMANDS["accreditation.suspend"],
    "reinstate_accreditation": COMMANDS["accreditation.reinstate"],
    "revoke_accreditation": COMMANDS["accreditation.revoke"],
    "define": COMMANDS["currency.define"],
    "set_quota": COMMANDS["currency.set_quota"],
    "issue": COMMANDS["currency.issue"],
    "redeem": COMMANDS["currency.redeem"],
    "destroy": COMMANDS["currency.destroy"],
}
"""What a proposal would do, by its kind."""

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

POLICIES: dict[str, str] = {
    "zone.offset_minutes": "The zone’s civil time, minutes east of UTC",
    "wallet.limits.1": "Limits of wallets of category I",
    "wallet.limits.2": "Limits of wallets of category II",
    "wallet.limits.3": "Limits of wallets of category III",
    "wallet.limits.4": "Limits of wallets of category IV",
    "wallet.unproven_category": "Best category of a wallet without a credential",
    "tiers.days_max": "How long a credential lifts a wallet at most",
    "payments.attestation_from_minor": "Smallest payment that needs an attested risk decision",
    "payments.model_from_minor": "Smallest payment that a registered model must have decided on",
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

NETWORK_STATES: dict[str, str] = {
    "stalled": "the network has stalled",
    "catching_up": "this node is behind",
    "suspended": "the member whose node this is was suspended",
    "silent": "CometBFT does not answer",
}
"""What ails a network, or one of its nodes."""

FAULTS: dict[str, str] = {
    "never": "never accredited",
    "not_yet": "not yet",
    "expired": "expired",
    "suspended": "suspended",
    "revoked": "revoked",
    "not_entitled": "granter may not",
}
"""Why an issuer is not accredited."""

REASONS: dict[str, str] = {
    "unspecified": "none given",
    "key_compromise": "a key was compromised",
    "breach": "breach of its duties",
    "ceased": "it has stopped its work",
    "requested": "at its own request",
    "cleared": "what it was suspended for has been put right",
}
"""Why a grant was suspended, reinstated or revoked."""
