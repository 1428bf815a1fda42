"""Machine code is kept under the name of all sources that it may come from."""

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
