"""Write specifications.json from the examples of the SD-JWT working group.

Run as `python tests/vectors/sd_jwt/convert.py EXAMPLES`, where EXAMPLES is the folder of their
`settings.yml`. It needs PyYAML, which the tests themselves do not.
"""

import json
import sys
from pathlib import Path

import yaml

MARK = "!sd"


class Selective:
    """A name or an element that stands with the mark."""

    def __init__(self, value):
        self.value = value

    def __hash__(self):
        return hash(self.value)

    def __eq__(self, other):
        return isinstance(other, Selective) and self.value == other.value


def construct(loader, node):
    if isinstance(node, yaml.MappingNode):
        return Selective(loader.construct_mapping(node, deep=True))
    if isinstance(node, yaml.SequenceNode):
        return Selective(loader.construct_sequence(node, deep=True))
    return Selective(loader.construct_scalar(node))


class Loader(yaml.SafeLoader):
    """YAML in which `!sd` marks what is selectively disclosable."""


Loader.add_constructor(MARK, construct)


def strip(value, path, selective):
    """Return a value without marks; the paths of those it had go to `selective`."""
    if isinstance(value, dict):
        return {
            plain: strip(inner, [*path, plain], selective)
            for plain, inner in (
                (unmark(name, path, selective), inner) for name, inner in value.items()
            )
        }
    if isinstance(value, list):
        found = []
        for index, inner in enumerate(value):
            here = [*path, index]
            if isinstance(inner, Selective):
                selective.append(here)
                inner = inner.value  # noqa: PLW2901 - the same without its mark
            found.append(strip(inner, here, selective))
        return found
    return value


def unmark(name, path, selective):
    if isinstance(name, Selective):
        selective.append([*path, name.value])
        return name.value
    return name


def list_disclosed(choice, path):
    """List the paths that a choice of the holder says `true` to."""
    if choice is True:
        yield path
    elif isinstance(choice, dict | list):
        for key, inner in choice.items() if isinstance(choice, dict) else enumerate(choice):
            yield from list_disclosed(inner, [*path, key])


def convert(path, settings):
    found = yaml.load(path.read_text(), Loader)  # noqa: S506 - a safe loader with one more mark
    selective = []
    claims = strip(found["user_claims"], [], selective)
    if found.get("include_default_claims", True):
        defaults = {
            "iss": settings["identifiers"]["issuer"],
            "iat": settings["iat"],
            "exp": settings["exp"],
        }
        claims = defaults | claims
    return {
        "name": path.parent.name,
        "claims": claims,
        "selective": selective,
        "disclosed": list(list_disclosed(found.get("holder_disclosed_claims", {}), [])),
        "is_bound": found.get("key_binding", False),
        "has_decoys": found.get("add_decoy_claims", False),
        "form": found.get("serialization_format", "compact"),
        "header": found.get("extra_header_parameters", {}),
        "issuer_keys": found.get("settings_override", settings)["key_settings"]["issuer_keys"],
    }


def main(folder):
    settings = yaml.safe_load((folder / "settings.yml").read_text())
    return {
        "audience": settings["identifiers"]["verifier"],
        "nonce": settings["key_binding_nonce"],
        "holder_key": settings["key_settings"]["holder_key"],
        "cases": [convert(path, settings) for path in sorted(folder.glob("*/specification.yml"))],
    }


if __name__ == "__main__":
    written = json.dumps(main(Path(sys.argv[1])), indent=1, ensure_ascii=False)
    (Path(__file__).parent / "specifications.json").write_text(written + "\n")
