"""The Python of the protocol buffers is what the compiler makes of them."""

import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[4]
FOLDER = Path("src/hansa/engine/cometbft/protocol")


def test_what_is_committed_is_made_from_the_proto_file(tmp_path):
    (tmp_path / "src").mkdir()
    subprocess.run([ROOT / "scripts" / "protocol.sh", tmp_path], check=True)
    for name in ("abci_pb2.py", "abci_pb2.pyi"):
        assert (tmp_path / FOLDER / name).read_text() == (ROOT / FOLDER / name).read_text()
