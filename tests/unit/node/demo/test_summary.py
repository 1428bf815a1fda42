"""What the demo tells at the end: lines to paste."""

from __future__ import annotations

import shlex
from pathlib import Path

from hansa.cli.main import build_parser
from hansa.node.demo.run import DemoReport, RiskReport
from hansa.node.demo.summary import Served, summarise
from hansa.node.demo.town import make_town

TX = "ab" * 32


def find_risk(served, risk):
    """Find the line about risk control; its words as a shell has them."""
    report = DemoReport(example_tx="cd" * 32, risk=risk)
    lines = summarise(report, make_town(1, 3, 2), Path("/the node"), (), served)
    return [shlex.split(line) for line in lines if " risk " in line and line.startswith("  ")]


def test_a_line_to_paste_shows_why_a_payment_was_stopped():
    risk = RiskReport(verdicts={"allow": 1, "block": 1}, example_tx=TX, example_reasons=["rule.x"])
    for served, word, option, target in (
        (Served(), "open", "data", Path("/the node")),
        (Served("http://127.0.0.1:1", risk_key="k"), "decision", "node", "http://127.0.0.1:1"),
    ):
        [words] = find_risk(served, risk)
        assert words[0] == ("HANSA_API_KEY=k" if served.address else "HANSA_PASSPHRASE=demo")
        options = build_parser().parse_args(words[2:])
        assert (options.word, options.tx_id) == (word, TX)
        assert getattr(options, option) == target
    assert find_risk(Served(), RiskReport()) == []
