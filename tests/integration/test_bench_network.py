"""The network's benchmark as people call it, for a moment."""

import json
import subprocess

import pytest
from tests.conftest import HANSA

pytestmark = pytest.mark.integration


def test_four_validators_confirm_payments_and_agree(cometbft):
    command = [HANSA, "bench", "network", "--seconds", "1", "--wallets", "64", "--json"]
    done = subprocess.run(command, capture_output=True, timeout=400, check=True)
    found = json.loads(done.stdout)
    assert found["confirmed"] > 0
    assert found["headers_equal"] is True
    assert found["kvstore_per_s"] > 0
    assert found["ratio_to_kvstore"] == pytest.approx(
        found["confirmed_per_s"] / found["kvstore_per_s"], rel=0.02, abs=0.002
    )
    parts = found["cpu_us_by_part"]
    assert set(parts) == {"executing", "verifying", "cometbft"}
    assert sum(parts.values()) == pytest.approx(found["cpu_us_per_payment_per_node"], abs=3)
