"""What each refusal of a contract of identity means; part of `refusals`, whose order this is."""

from __future__ import annotations

from hansa.node.api.advice import Advice

IDENTITY: dict[str, Advice] = {
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
}
"""By contract, in order of precedence."""
