"""AMLSim's graphs are read as they are, and the figures are those of the one rule and of trees."""

import io
import tarfile

import numpy as np
import pytest

from hansa.kernel.errors import Invalid
from hansa.risk.evaluation.amlsim import (
    GRAPHS,
    apply_one_rule,
    compute_f1,
    describe_accounts,
    evaluate_amlsim,
    read_graph,
)
from hansa.risk.models.training import Shape

NODES = "nodeid,isFraud,init_balance,fraudStep\n0,0,1.5,-1\n1,1,2.0,3\n2,0,9.0,-1\n"
PAID = "sourceNodeId,targetNodeId,value,time\n0,1,99.99,3\n0,1,100.00,5\n1,0,250.5,4\n"


def write_graph(path, nodes=NODES, paid=PAID):
    with tarfile.open(path, "w:gz") as archive:
        for name, text in (("nodes.csv", nodes), ("transactions.csv", paid)):
            member = tarfile.TarInfo(f"graph/{name}")
            member.size = len(text)
            archive.addfile(member, io.BytesIO(text.encode()))
    return path


def test_accounts_are_described_by_what_they_paid_and_were_paid(tmp_path):
    graph = read_graph(write_graph(tmp_path / "graph.tgz"))
    assert graph.is_fraud.tolist() == [False, True, False]
    first = [2, 199_99, 99_99, 100_00, 99_99, 1, 3, 5]
    second = [1, 250_50, 250_50, 250_50, 250_50, 1, 4, 4]
    assert describe_accounts(graph).tolist() == [
        [*first, *second, 798],
        [*second, *first, 1252],
        [0, 0, -1, -1, -1, 0, -1, -1, 0, 0, -1, -1, -1, 0, -1, -1, -1],
    ]
    assert apply_one_rule(graph).tolist() == [True, True, False]
    assert compute_f1(apply_one_rule(graph), graph.is_fraud) == pytest.approx(2 / 3)
    assert compute_f1(np.zeros(3, np.bool_), np.zeros(3, np.bool_)) == 0


@pytest.mark.parametrize(
    "wrong",
    [
        {"nodes": NODES.replace("nodeid", "id")},
        {"nodes": NODES.replace("\n1,", "\n7,")},
        {"paid": PAID.replace("\n0,1,", "\n0,3,")},
    ],
)
def test_a_graph_of_another_form_is_refused(tmp_path, wrong):
    with pytest.raises(Invalid):
        read_graph(write_graph(tmp_path / "graph.tgz", **wrong))


def test_trees_know_about_as_much_as_the_one_rule(datasets):
    found = evaluate_amlsim(datasets / "risk" / "amlsim-20k", shape=Shape(trees=12))
    assert [round(found["one_rule"][name], 4) for name in GRAPHS] == [0.7916, 0.8171]
    for name in GRAPHS:
        assert 0.74 < found["in_graph"][name] < 0.86
        assert 0.5 < found["across"][name] < 0.86
    assert found["amlsim_f1"] == pytest.approx(sum(found["in_graph"].values()) / 2)
