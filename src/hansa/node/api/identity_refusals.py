"""What each refusal of a contract of identity means; part of `refusals`, whose order this is."""

from __future__ import annotations

from hansa.node.api.advice import Advice

IDENTITY: dict[str, Advice] = {
    "identity.DOCUMENT_EXISTS": Advice(
        "The address has a document already, or had one that was deactivated.",
        "Use `update`; a document that was deactivated stays so.",
    ),
    "identity.NO_DOCUMENT": Advice("The address has no document.", "Use `create` first."),
    "identity.DEACTIVATED": Advice(
        "The document was deactivated, which is for good.", "Begin one at another address."
    ),
    "identity.RECOVERY_PENDING": Advice(
        "Guardians are recovering the account: nobody ends its document meanwhile.",
        "Veto the recovery first, or wait for its end.",
        "the account’s owner",
    ),
    "identity.WRONG_VERSION": Advice(
        "The document was changed since the version that this would replace.",
        "Read it anew, and make the change on the version in the fact `present`.",
    ),
    "identity.WRONG_NAME": Advice(
        "A name of a method or service has characters that a fragment of a DID has not, or stands "
        "twice.",
        "Use letters a to z, digits, hyphens and underscores, and each name once.",
    ),
    "identity.WRONG_METHOD": Advice(
        "A key is no public key of its kind, or cannot do what it is meant for.",
        "Compare it with the table of kinds in docs/reference/contracts.md, `identity`.",
    ),
    "identity.WRONG_SERVICE": Advice(
        "A service’s type is no printable ASCII, or its endpoint no URI, or one that is a person’s "
        "address (mailto, tel, …) or content itself (data, …).",
        "Correct the service in the fact `name`.",
    ),
    "identity.WRONG_DELEGATE": Advice(
        "A delegate is the account itself, stands twice, or its time is over.",
        "Leave it out, or give it an end in the future.",
    ),
    "identity.WRONG_ALIAS": Advice(
        "Another name of the subject is no URI, or such a one as no service may have, or stands "
        "twice.",
        "Correct the one in the fact `uri`.",
    ),
    "identity.WRONG_KEY": Advice(
        "The bytes are no public key of that signature suite.",
        "Publish Ed25519 keys (1) in 32 bytes, P-256 (2) and secp256k1 (3) compressed, in 33.",
    ),
    "schemas.WRONG_NAME": Advice(
        "The name has characters that look like others, or that not everybody can type.",
        "Use lower-case letters a to z, digits and hyphens.",
    ),
    "schemas.UNKNOWN_SCHEMA": Advice(
        "The type has no such version, or there is no such type.", "Check name and version."
    ),
    "schemas.NOT_OWNER": Advice(
        "Another member published this type of credentials first, and owns its name.",
        "Use another name.",
    ),
    "schemas.ALREADY_RETIRED": Advice("The version is retired already.", "Nothing is to be done."),
    "schemas.WRONG_VERSION": Advice(
        "The version is not the one that follows the latest.",
        "Look at the latest version, and publish the one in the fact `following`.",
    ),
    "schemas.TOO_LONG": Advice(
        "The schema or what wallets show of it is too long.",
        "Shorten it to at most the bytes in the fact `bytes_max`.",
    ),
    "evidence.WRONG_COSIGNERS": Advice(
        "Somebody is asked to sign twice, or the notary besides itself.",
        "Name each other signer once.",
    ),
    "evidence.DUPLICATE_HASH": Advice(
        "A hash is named twice.",
        "Name each once.",
    ),
    "evidence.ALREADY_NOTARISED": Advice(
        "The notary has put this hash on record already.",
        "Nothing, if it is the same document: it stands since the time in the fact `since_ms`.",
    ),
    "evidence.UNKNOWN_EVIDENCE": Advice(
        "This notary has put no such hash on record.",
        "Check notary and hash.",
    ),
    "evidence.REVOKED": Advice(
        "The notary no longer stands by this hash.",
        "Ask the notary; only notes can still be added.",
    ),
    "evidence.NOT_A_SIGNER": Advice(
        "The notary asked somebody else to sign this.",
        "Ask the notary for evidence that names this cosigner.",
    ),
    "evidence.ALREADY_SIGNED": Advice(
        "The cosigner has signed this already.",
        "Nothing.",
        "nobody",
    ),
    "evidence.TOO_MANY_NOTES": Advice(
        "As many notes stand on this hash as it can carry: 1,024.",
        "Notarise the further notes by themselves.",
    ),
    "status.LIST_EXISTS": Advice(
        "The issuer has a list of this number already.",
        "Use another number.",
    ),
    "status.TOO_LARGE": Advice(
        "The list would be larger than 256 KiB.",
        "Choose fewer entries or bits, and begin a further list.",
    ),
    "status.UNKNOWN_LIST": Advice(
        "The issuer has no list of this number.",
        "Check the number, or begin the list first.",
    ),
    "status.CANNOT_SUSPEND": Advice(
        "An entry of one bit says only whether a credential is revoked.",
        "Issue by a list of two bits what may be suspended.",
    ),
    "status.NOT_ASCENDING": Advice(
        "The places are not in ascending order, or one is named twice.",
        "Sort them.",
    ),
    "status.OUT_OF_RANGE": Advice(
        "The list has no such place.",
        "Check the credential; the facts name place and length.",
    ),
    "status.WRONG_STATE": Advice(
        "A credential does not stand where this can follow: what is revoked stays so, only what "
        "is valid is suspended, only what is suspended is reinstated.",
        "Leave out the place in the fact `index`.",
    ),
    "consent.UNKNOWN_CONSENT": Advice(
        "There is no such consent, or its time is over.",
        "Check its name, or ask for a new one.",
    ),
    "consent.STILL_IN_TIME": Advice(
        "The consent’s time is not over.",
        "Sweep it later.",
    ),
    "consent.NOT_A_PARTY": Advice(
        "The consent is another’s: neither its giver nor the holder asks.",
        "Let one of them revoke it.",
    ),
    "consent.REVOKED": Advice(
        "The consent is revoked, or one that it hangs on.",
        "Ask who gave it for a new one; the fact `consent_id` names the one that is revoked.",
    ),
    "consent.NOT_YET": Advice(
        "The consent’s time, or that of one that it hangs on, has not begun.",
        "Wait until the time in the fact `from_ms`.",
    ),
    "consent.NO_USES_LEFT": Advice(
        "The consent, or one that it hangs on, has been used as often as it allows.",
        "Ask who gave it for a new one; the fact `consent_id` names the one that is used up.",
    ),
    "consent.MAY_NOT_DELEGATE": Advice(
        "The consent may not be handed on.",
        "Ask who gave it for one that may.",
    ),
    "consent.SAME_PARTY": Advice(
        "Both parties are the same account.",
        "Name another one.",
    ),
    "consent.WRONG_TIME": Advice(
        "The consent would end in the past, before it begins, or more than 3,660 days ahead.",
        "Choose another time.",
    ),
    "consent.TOO_WIDE": Advice(
        "It would allow more than the consent that is handed on: longer, earlier, more uses or "
        "more delegations.",
        "Stay within the bounds in the facts.",
    ),
    "consent.CONSENT_EXISTS": Advice(
        "There is a consent by this giver with the same terms, perhaps a revoked one.",
        "Commit to the terms with a new salt.",
    ),
    "accreditation.WRONG_GRANTER": Advice(
        "The proposal names a granter that is not the network.",
        "Name 32 zero bytes: what the network votes on, it grants.",
    ),
    "accreditation.WRONG_TIME": Advice(
        "The grant would end in the past, or before it begins.",
        "Choose another time.",
    ),
    "accreditation.UNKNOWN_TYPE": Advice(
        "There is no such type of credentials.",
        "Check the name, or have its schema published first.",
    ),
    "accreditation.NOT_ENTITLED": Advice(
        "The granter is not accredited itself at present, or not to let others accredit so deep.",
        "Grant at most one level less than the granter has: the fact `may_accredit`.",
        "the sender, or its granter",
    ),
    "accreditation.UNKNOWN_GRANT": Advice(
        "The issuer never was accredited for this type.",
        "Check issuer and type.",
    ),
    "accreditation.NOT_GRANTER": Advice(
        "The issuer’s grant is another’s, who still answers for it.",
        "Ask its granter, or the network.",
        "the granter",
    ),
    "accreditation.WRONG_STATE": Advice(
        "The grant does not stand where this can follow: only what is granted is suspended, only "
        "what is suspended is reinstated, and it is reinstated or revoked before it is granted "
        "anew, unless the network takes it over.",
        "Look at the grant; the fact `state` says where it stands.",
    ),
    "tiers.NOT_ITS_OPERATOR": Advice(
        "The wallet is kept by another operator.", "Let its own operator send it."
    ),
    "tiers.NOT_LIFTED": Advice(
        "No credential lifts the wallet now.", "Nothing: its category is the one it was given."
    ),
    "tiers.STILL_IN_TIME": Advice(
        "The lift’s time is not over, and its wallet is open.",
        "Sweep it later; its operator can end it before.",
    ),
    "tiers.STALE": Advice(
        "The presentation’s time is over, or it was to be good for more than a day.",
        "Ask for a new presentation, and submit it before the moment to which its nonce commits.",
    ),
    "tiers.WRONG_TIME": Advice(
        "The lift would end in the past, or later than policy allows.",
        "Choose an end in the future, within the policy tiers.days_max.",
    ),
    "tiers.NOT_BETTER": Advice(
        "The wallet has this category or a better one already.",
        "Nothing; to lower it, end its lift, or set its category.",
    ),
    "tiers.NULLIFIER_USED": Advice(
        "The same person’s credential lifts another wallet of this operator to this category: the "
        "one in the fact wallet.",
        "End that lift in the same transaction, if the person asks for it.",
    ),
}
"""By contract, in order of precedence."""
