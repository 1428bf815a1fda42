"""Words by which two banks come to an agreement and end it: accept, decline, end."""

from __future__ import annotations

import argparse

from hansa.cli.pair.parties import add_agreement, add_officers, get_own, parse_agreement
from hansa.cli.source import open_client
from hansa.cli.tx import load_keys, send
from hansa.contracts.reconciliation import agreements

STEPS = {
    "accept": (agreements.Accept, "bring in force what the other bank proposed"),
    "decline": (agreements.Decline, "turn a proposal down, or take one's own back"),
    "end": (agreements.End, "post nothing more; what was posted is brought to its end"),
}


def add_words(words: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add this module's words to the command `pair`."""
    for word, (_, text) in STEPS.items():
        step = words.add_parser(word, help=text)
        add_agreement(step)
        add_officers(step)
        step.set_defaults(function=_step)


def _step(options: argparse.Namespace) -> int:
    """Sign for the bank whose node it is, which has the terms: they are known by the id."""
    agreement = parse_agreement(options)
    keys = load_keys(options.keys)
    kind, _ = STEPS[options.word]
    with open_client(options) as client:
        own = get_own(client.pairs.get(agreement))
        return send(client, options, keys, [kind(agreement, own)])
