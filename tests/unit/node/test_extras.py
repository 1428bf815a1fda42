"""What a node imports: nothing of an extra that it may not have."""

from __future__ import annotations

import subprocess
import sys

SOURCE = """
import sys
import hansa.node.running
print(sorted({"duckdb", "ibis", "numpy", "pyarrow", "scipy"} & set(sys.modules)))
import hansa.node.reconcile.service
print(sorted({"duckdb", "ibis", "scipy.optimize"} & set(sys.modules)))
"""


def test_a_node_serves_without_the_engine_of_reconciliation():
    """With it, it begins without what only batches need: that would take as long as the rest."""
    found = subprocess.run([sys.executable, "-c", SOURCE], capture_output=True, check=True)
    assert found.stdout.decode().split() == ["[]", "[]"]
