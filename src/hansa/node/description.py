"""The description of a network that is to be founded: its form, and reading it from a file.

Source: docs/reference/cli.md, `hansa init`.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta

from hansa.contracts.members import Role
from hansa.kernel.errors import Invalid, InvalidCode
from hansa.kernel.values import AssetCode, Name, NonNegative, Positive
from hansa.sdk.files import read_file

SPEC_BYTES_MAX = 1 << 20
OFFICERS_MAX = 16
DEFAULT_ASSETS: Final = (("MOP", "MOP", 2),)
"""(asset, currency, exponent) of M0 assets that the central bank issues."""


class MemberDescription(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An institution of a new network."""

    name: Name
    roles: tuple[Role, ...]
    officers: Annotated[int, Meta(ge=1, le=OFFICERS_MAX)] | tuple[str, ...] = 1
    """How many keys to make, or the addresses of keys made elsewhere."""
    threshold: Positive = 1
    """How many officers must sign together."""
    weight: NonNegative = 0
    """Voting power; above 0 it is a validator, too."""
    server: str = ""
    """Address of the key on its server; empty to make one."""


class AssetDescription(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An M0 asset that the central bank issues."""

    asset: AssetCode
    currency: str
    exponent: Annotated[int, Meta(ge=0, le=18)] = 2


DEFAULT_MEMBERS = (
    MemberDescription("Central Bank", (Role.CENTRAL_BANK,), 3, 2, 300),
    MemberDescription("First Operator", (Role.OPERATOR,), 1, 1, 200),
    MemberDescription("Regulator", (Role.REGULATOR,), 1, 1, 0),
)


class NetworkDescription(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A new network; every field has a default that works."""

    network: Name = "hansa"
    hash: Literal["sha256", "sm3"] = "sha256"
    suite: Literal["ed25519", "p256", "secp256k1"] = "ed25519"
    """Of the keys that are made."""
    members: tuple[MemberDescription, ...] = DEFAULT_MEMBERS
    assets: tuple[AssetDescription, ...] = tuple(
        AssetDescription(*asset) for asset in DEFAULT_ASSETS
    )
    policy: dict[str, tuple[int, ...]] = {}
    """What differs from the default policy; see `contracts.policy`."""
    sponsor: str = ""
    """Name of the member whose node this is; the first operator if empty."""


MUST_BE: Mapping[str, str] = MappingProxyType(
    {
        "": "named fields, as in the example there",
        "network": "a text of 1 to 64 characters",
        "hash": "sha256 or sm3",
        "suite": "ed25519, p256 or secp256k1",
        "members": "a list of members, each with a name and roles",
        "members.name": "a text of 1 to 64 characters",
        "members.roles": f"a list of {', '.join(Role)}",
        "members.officers": f"a number from 1 to {OFFICERS_MAX}, or a list of addresses",
        "members.threshold": "a whole number from 1 on",
        "members.weight": "a whole number from 0 on",
        "members.server": "an address",
        "assets": "a list of assets, each with asset and currency",
        "assets.asset": "a text of 1 to 24 characters",
        "assets.currency": "a currency code of ISO 4217",
        "assets.exponent": "a number of digits from 0 to 18",
        "policy": "lists of whole numbers by key",
        "sponsor": "the name of a member",
    }
)
"""What a field holds, in words."""


def read_description(path: Path) -> NetworkDescription:
    """Read a description from a TOML or (named `*.json`) JSON file.

    Raises:
      NotFound: there is no such file.
      Invalid: it does not describe a network; the message names the field, and what belongs there.
      Unavailable: it cannot be read.
    """
    raw = read_file(path, SPEC_BYTES_MAX)
    if len(raw) > SPEC_BYTES_MAX:
        raise Invalid(InvalidCode.TOO_LARGE, f"{path} has more than {SPEC_BYTES_MAX} bytes")
    found = _parse(raw, path)
    if found == {}:
        raise _wrong(
            path,
            "it is empty, and must say what the network is: its members at least, each with a "
            "name and roles",
        )
    try:
        return msgspec.convert(found, NetworkDescription)
    except msgspec.ValidationError as error:
        raise _wrong(path, explain_fault(str(error), found)) from None


def _parse(raw: bytes, path: Path) -> Any:  # noqa: ANN401 - whatever the file holds
    is_json = path.suffix == ".json"
    try:
        text = raw.decode()
        return msgspec.json.decode(text) if is_json else tomllib.loads(text)
    except UnicodeDecodeError as error:
        raise _wrong(path, f"byte {error.start + 1} is no text in UTF-8") from None
    except RecursionError:
        raise _wrong(path, "it is nested too deep") from None
    except (msgspec.DecodeError, ValueError) as error:  # both say in which line or byte
        raise _wrong(path, f"it is no {'JSON' if is_json else 'TOML'}: {error}") from None


def explain_fault(told: str, found: Any) -> str:  # noqa: ANN401 - whatever the file holds
    """Say in our words which field is wrong, and what belongs there.

    Args:
      told: the decoder's message: what, and a path such as `$.members[0].roles[1]`.
      found: what the file holds.
    """
    what, _, where = told.partition(" - at `$")
    steps = where.strip("`").lstrip(".").replace("[...]", "").split(".")
    kinds = [step.partition("[")[0] for step in steps]
    path = ".".join(steps)
    quoted = what.split("`")
    if "unknown field" in what:
        fields = {"members": MemberDescription, "assets": AssetDescription}.get(
            kinds[0], NetworkDescription
        )
        known = ", ".join(fields.__struct_fields__)
        return f"{_join(path, quoted[1])}: there is no such field; there are {known}"
    if "missing" in what:
        name = quoted[1]
        return f"{_join(path, name)}: is missing; it must be {MUST_BE[f'{kinds[0]}.{name}']}"
    if kinds == ["policy"] and isinstance(found["policy"], dict):
        path = f'policy, "{_find_policy(found["policy"])}"'
        return f"{path}: must be a list of whole numbers"
    return f"{path or 'the file'}: must be {MUST_BE['.'.join(kinds)]}"


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _find_policy(entries: Mapping[str, object]) -> str:
    """Find the first entry that is no list of whole numbers."""
    for name, values in entries.items():
        try:
            msgspec.convert(values, tuple[int, ...])
        except msgspec.ValidationError:
            return name
    return ""


def _wrong(path: Path, what: str) -> Invalid:
    return Invalid(
        InvalidCode.MALFORMED,
        f"{path} describes no network: {what}; correct the file, nothing was made "
        "(an example: docs/reference/cli.md)",
        path=str(path),
    )
