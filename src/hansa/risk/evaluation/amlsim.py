"""AMLSim's graphs of 20,000 accounts: which of them launder, said from what each paid and was paid.

Two graphs, of 200 cycles and of 200 fans, each with some 950 accounts that launder. In these data
an ordinary payment is of 100 or more, and two thirds of the accounts that launder make or get a
payment below; the rest carry no signal at all. So one rule has nearly all that can be had, and
nothing is tuned here: trees as they come, and the threshold at even odds.

Source: Suzumura & Kanezashi, AMLSim (2018); https://github.com/IBM/AMLSim, sample graphs.
"""

from __future__ import annotations

import tarfile
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from hansa.kernel.errors import Invalid, InvalidCode
from hansa.risk.models.training import Shape, train
from hansa.risk.models.trees import score_rows

GRAPHS = ("20K_cycle200", "20K_fanin200")
ORDINARY_MIN_MINOR = 100_00
FOLDS = 5
_SHAPE = Shape()
_NOTHING = -1

Whole = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]


class Graph(NamedTuple):
    """Payments between accounts, and which of these launder."""

    payer: Whole
    payee: Whole
    amount_minor: Whole
    step: Whole
    """When, in steps of the simulation; shape (n_payments,) as all above."""
    is_fraud: Flags
    """Shape (n_accounts,)."""


def evaluate_amlsim(folder: Path, *, shape: Shape = _SHAPE, seed: int = 0) -> dict[str, object]:
    """Measure F1 of accounts within each graph, across graphs, and of the one rule.

    Within a graph each fifth of the accounts is scored by trees trained on the others.

    Args:
      folder: where the graphs lie, each a `.tgz`.
      shape: of the trees; what is reported has the usual one.
      seed: of the folds and trees.

    Returns:
      `amlsim_f1`, the mean within graphs; `in_graph`, `across` (by the graph that is scored) and
      `one_rule`, with an F1 for each graph.

    Raises:
      Invalid: a graph is not as AMLSim writes it.
      OSError: it cannot be read.
    """
    graphs = {name: read_graph(folder / f"{name}.tgz") for name in GRAPHS}
    rows = {name: describe_accounts(graph) for name, graph in graphs.items()}
    in_graph, across, one_rule = {}, {}, {}
    for name, graph in graphs.items():
        in_graph[name] = compute_f1(_score_in_folds(rows[name], graph, shape, seed), graph.is_fraud)
        one_rule[name] = compute_f1(apply_one_rule(graph), graph.is_fraud)
        [other] = set(GRAPHS) - {name}
        said = _say(rows[other], graphs[other].is_fraud, rows[name], shape, seed)
        across[name] = compute_f1(said, graph.is_fraud)
    return {
        "amlsim_f1": sum(in_graph.values()) / len(in_graph),
        "in_graph": in_graph,
        "across": across,
        "one_rule": one_rule,
    }


def read_graph(path: Path) -> Graph:
    """Read a graph: `nodes.csv` and `transactions.csv` within a `.tgz`.

    Raises:
      Invalid: it is not as AMLSim writes it.
      OSError: it cannot be read.
    """
    with tarfile.open(path) as archive:
        nodes = _read_table(archive, "nodes.csv", "nodeid,isFraud,init_balance,fraudStep")
        paid = _read_table(archive, "transactions.csv", "sourceNodeId,targetNodeId,value,time")
    is_numbered = (nodes[:, 0] == np.arange(len(nodes))).all()
    if not is_numbered or paid[:, :2].min() < 0 or paid[:, :2].max() >= len(nodes):
        raise Invalid(InvalidCode.MALFORMED, f"{path.name}: accounts are not numbered from 0")
    payer, payee, step = (paid[:, column].astype(np.int64) for column in (0, 1, 3))
    amounts = np.rint(paid[:, 2] * 100).astype(np.int64)
    return Graph(payer, payee, amounts, step, nodes[:, 1] == 1)


def _read_table(archive: tarfile.TarFile, name: str, header: str) -> npt.NDArray[np.float64]:
    for member in archive:
        file = archive.extractfile(member) if member.name.split("/")[-1] == name else None
        if file is None:
            continue
        if file.readline().decode().strip() != header:
            raise Invalid(InvalidCode.MALFORMED, f"{name} does not begin with {header}")
        return np.loadtxt(file, delimiter=",", ndmin=2)
    raise Invalid(InvalidCode.MALFORMED, f"there is no {name}")


def describe_accounts(graph: Graph) -> Whole:
    """Describe each account by what it paid and was paid; shape (n_accounts, 17)."""
    count = len(graph.is_fraud)
    sides = ((graph.payer, graph.payee), (graph.payee, graph.payer))
    columns = [column for own, other in sides for column in _describe_side(graph, own, other)]
    paid, was_paid = columns[1], columns[1 + len(columns) // 2]
    ratio = np.where(was_paid > 0, paid * 1000 // np.maximum(was_paid, 1), _NOTHING)
    return np.stack([*columns, ratio]).T.reshape(count, -1).copy()


def _describe_side(graph: Graph, own: Whole, other: Whole) -> list[Whole]:
    """Describe one side: count, sum, least, most, mean, others, first and last step."""
    count = len(graph.is_fraud)
    payments = np.bincount(own, minlength=count)
    is_any = payments > 0
    total = np.zeros(count, np.int64)
    np.add.at(total, own, graph.amount_minor)

    def over(values: Whole, take: np.ufunc, begin: int) -> Whole:
        taken = np.full(count, begin, np.int64)
        take.at(taken, own, values)
        return np.where(is_any, taken, _NOTHING)

    pairs = np.unique(np.stack([own, other]), axis=1)
    return [
        payments,
        total,
        over(graph.amount_minor, np.minimum, 1 << 53),
        over(graph.amount_minor, np.maximum, 0),
        np.where(is_any, total // np.maximum(payments, 1), _NOTHING),
        np.bincount(pairs[0], minlength=count),
        over(graph.step, np.minimum, 1 << 53),
        over(graph.step, np.maximum, 0),
    ]


def apply_one_rule(graph: Graph) -> Flags:
    """Say of whoever makes or gets a payment below all ordinary ones that they launder."""
    said = np.zeros(len(graph.is_fraud), np.bool_)
    small = graph.amount_minor < ORDINARY_MIN_MINOR
    said[graph.payer[small]] = True
    said[graph.payee[small]] = True
    return said


def _score_in_folds(rows: Whole, graph: Graph, shape: Shape, seed: int) -> Flags:
    order = np.random.default_rng(seed).permutation(len(rows))
    said = np.zeros(len(rows), np.bool_)
    for fold in range(FOLDS):
        held = order[fold::FOLDS]
        others = np.setdiff1d(order, held)
        said[held] = _say(rows[others], graph.is_fraud[others], rows[held], shape, seed)
    return said


def _say(known: Whole, is_fraud: Flags, asked: Whole, shape: Shape, seed: int) -> Flags:
    """Train on what is known, and say which of those asked about are likelier than not."""
    scores = np.zeros(len(asked), np.int64)
    score_rows(train(known, is_fraud, shape, seed=seed), asked, scores)
    return scores > 0


def compute_f1(said: Flags, is_fraud: Flags) -> float:
    """Compute the harmonic mean of precision and recall."""
    right = int((said & is_fraud).sum())
    return 2 * right / max(int(said.sum()) + int(is_fraud.sum()), 1)
