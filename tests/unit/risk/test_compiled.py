"""Machine code is kept under the name of all sources that it may come from."""

import os
import subprocess
import sys
from pathlib import Path

import hansa
from hansa.risk.compiled import find_cache


def test_a_change_in_any_module_is_another_cache(tmp_path):
    package = tmp_path / "package"
    (package / "inner").mkdir(parents=True)
    (package / "a.py").write_text("A = 1\n")
    (package / "inner" / "b.py").write_text("B = 1\n")
    first = find_cache(package, tmp_path)
    assert first.parent == package / "__pycache__"
    assert find_cache(package, tmp_path) == first
    (package / "inner" / "b.py").write_text("B = 2\n")
    second = find_cache(package, tmp_path)
    (package / "inner" / "b.py").rename(package / "b.py")
    assert len({first, second, find_cache(package, tmp_path)}) == 3


def test_where_nothing_may_be_written_beside_them_it_is_kept_elsewhere(tmp_path):
    nowhere = tmp_path / "gone"
    assert find_cache(nowhere, tmp_path / "users").parent == tmp_path / "users"


def test_where_nothing_can_be_kept_at_all_it_loads_and_decides(tmp_path):
    """As under a service manager that lets a node write its data folder and nothing else."""
    package = tmp_path / "lib" / "hansa"
    package.mkdir(parents=True)
    for source in Path(hansa.__file__).parent.iterdir():
        (package / source.name).symlink_to(source)
    (package / "risk").unlink()
    risk = package / "risk"
    risk.mkdir()
    for source in (Path(hansa.__file__).parent / "risk").iterdir():
        if source.name != "__pycache__":
            (risk / source.name).symlink_to(source)
    (risk / "__pycache__").touch()  # no folder, so that nothing can be put there by anybody
    nowhere = tmp_path / "no home"
    nowhere.touch()
    program = (
        "import numpy as np\n"
        "from hansa.risk.models.calibration import Calibration, calibrate\n"
        "print(calibrate(Calibration(np.array([0, 2]), np.array([10, 30])), 1))\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(tmp_path / "lib"), "HOME": str(nowhere)}
    environment |= {"XDG_CACHE_HOME": str(nowhere), "PYTHONDONTWRITEBYTECODE": "1"}
    environment.pop("NUMBA_CACHE_DIR", None)
    done = subprocess.run(
        [sys.executable, "-c", program],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "20\n"), done.stderr
