"""Tidiness as a test: the rules of the house that neither ruff nor import-linter knows.

Every exception is listed in the tables below with its reason.
"""

from __future__ import annotations

import ast
import importlib
import re
import sys
import tomllib
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
SOURCE = ROOT / "src" / "hansa"
MODULES = sorted(SOURCE.rglob("*.py"))
TEST_MODULES = sorted((ROOT / "tests").rglob("*.py"))
STATE_MACHINE = [
    path for path in MODULES if path.relative_to(SOURCE).parts[0] in {"kernel", "contracts"}
]
NO_FLOATS = [*STATE_MACHINE, *sorted((SOURCE / "engine").rglob("*.py"))]

MODULE_LINES_MAX = 500
FUNCTION_LINES_MAX = 50
PACKAGE_MODULES_MAX = 14
VAGUE_NAMES = {"base", "common", "helper", "helpers", "manager", "misc", "util", "utils"}
BETWEEN = {
    "advice",
    "currency",
    "engine",
    "exchange",
    "identity",
    "reconcile",
    "risk",
    "sdk",
    "services",
}
"""Packages between `contracts` and `node`, which do not import one another."""

MAY_EXCEPT_ALL = {
    "hansa.cli.main": (1, "the edge of the process"),
    "hansa.kernel.machine.execution": (1, "a contract that raises becomes a receipt `failed`"),
    "hansa.engine.store": (1, "rocksdict raises bare Exception; made into ours here"),
}
"""Module: how many at most, and why."""

MAY_NOT_BE_DETERMINISTIC = {
    "hansa.kernel.crypto.address": {"lower": "bech32 text of people's input, ASCII, not in state"},
    "hansa.kernel.frame": {"re": "patterns of bytes and lengths alone, no classes of letters"},
}
"""Module: what it uses that others must not, and why."""

LONG_FUNCTIONS: dict[str, str] = {}
LARGE_PACKAGES: dict[str, str] = {}


def name_of(path: Path) -> str:
    parts = path.relative_to(ROOT / "src").with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@cache
def parse(path: Path) -> ast.Module:
    return ast.parse(path.read_text(), str(path))


def at(path: Path, node: ast.AST) -> str:
    return f"{path.relative_to(ROOT)}:{node.lineno}"


def functions(path: Path):
    for node in ast.walk(parse(path)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


# --- size ---------------------------------------------------------------------------------------


def test_modules_are_short():
    lengths = {path: len(path.read_text().splitlines()) for path in MODULES + TEST_MODULES}
    long = [
        f"{path.relative_to(ROOT)}: {length} lines"
        for path, length in lengths.items()
        if length > MODULE_LINES_MAX
    ]
    assert long == []


def test_functions_fit_one_screen():
    long = {}
    for path in MODULES:
        for function in functions(path):
            lines = function.end_lineno - function.lineno + 1
            if lines > FUNCTION_LINES_MAX:
                long[f"{name_of(path)}.{function.name}"] = f"{at(path, function)}: {lines} lines"
    assert [where for name, where in long.items() if name not in LONG_FUNCTIONS] == []
    assert set(LONG_FUNCTIONS) <= set(long), "an exception is no longer needed"


def test_packages_are_small():
    packages = {path.parent for path in MODULES}
    sizes = {
        folder.relative_to(ROOT / "src").as_posix(): len(
            [path for path in folder.glob("*.py") if path.name != "__init__.py"]
        )
        for folder in packages
    }
    large = {name: size for name, size in sizes.items() if size > PACKAGE_MODULES_MAX}
    assert {name: size for name, size in large.items() if name not in LARGE_PACKAGES} == {}
    assert set(LARGE_PACKAGES) <= set(large), "an exception is no longer needed"


# --- names and words ----------------------------------------------------------------------------


def test_modules_have_telling_names():
    vague = [
        name
        for name in map(name_of, MODULES)
        if VAGUE_NAMES & {word for part in name.split(".") for word in part.split("_")}
    ]
    assert vague == []


def test_nothing_is_left_for_later():
    unfinished = re.compile(r"\b(TODO|FIXME|XXX|HACK|NotImplementedError|[Pp]laceholder|[Ss]tub)\b")
    found = [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()}"
        for path in MODULES + [path for path in TEST_MODULES if path != Path(__file__)]
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if unfinished.search(line) and 'placeholder="' not in line  # the attribute of an HTML input
    ]
    assert found == []


def _is_protocol(node: ast.ClassDef) -> bool:
    return any("Protocol" in ast.unparse(parent) for parent in node.bases)


def test_no_function_is_empty():
    empty = []
    for path in MODULES:
        tree = parse(path)
        allowed = {
            id(function)
            for node in ast.walk(tree)
            if isinstance(node, ast.ClassDef) and _is_protocol(node)
            for function in node.body
        }
        for function in ast.walk(tree):
            if not isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
                continue
            overloads = any("overload" in ast.unparse(mark) for mark in function.decorator_list)
            body = function.body[1:] if ast.get_docstring(function) else function.body
            is_bare = all(
                isinstance(line, ast.Expr)
                and isinstance(line.value, ast.Constant)
                and line.value.value is ...
                for line in body
            )
            if is_bare and body and id(function) not in allowed and not overloads:
                empty.append(at(path, function))
    assert empty == []


# --- errors -------------------------------------------------------------------------------------


def _catches_all(handler: ast.ExceptHandler) -> bool:
    """Whether a handler swallows anything; one that cleans up and raises again does not."""
    last = handler.body[-1]
    if isinstance(last, ast.Raise) and last.exc is None:
        return False
    if handler.type is None:
        return True
    caught = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    return bool({"Exception", "BaseException"} & {ast.unparse(name) for name in caught})


def test_except_exception_stands_only_where_it_must():
    found: dict[str, list[str]] = {}
    for path in MODULES:
        for node in ast.walk(parse(path)):
            if isinstance(node, ast.ExceptHandler) and _catches_all(node):
                found.setdefault(name_of(path), []).append(at(path, node))
    too_many = {
        name: places
        for name, places in found.items()
        if len(places) > MAY_EXCEPT_ALL.get(name, (0, ""))[0]
    }
    assert too_many == {}


# --- determinism --------------------------------------------------------------------------------

FORBIDDEN_METHODS = {"lower", "upper", "casefold", "title", "swapcase", "capitalize"}
FORBIDDEN_MODULES = {"re", "unicodedata", "decimal", "fractions", "math", "locale", "threading"}
FORBIDDEN_CALLS = {"hash", "id", "float", "eval", "exec", "round"}


def _is_set(node: ast.AST) -> bool:
    if isinstance(node, ast.Set | ast.SetComp):
        return True
    return (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id in {"set", "frozenset"}
    )


def _find_indeterminate(tree: ast.Module):
    """Find what two machines might do differently, as (node, name)."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            function = node.func
            if isinstance(function, ast.Attribute) and function.attr in FORBIDDEN_METHODS:
                yield node, function.attr
            if isinstance(function, ast.Name) and function.id in FORBIDDEN_CALLS:
                yield node, function.id
        if isinstance(node, ast.For | ast.comprehension) and _is_set(node.iter):
            yield node.iter, "set order"
        if isinstance(node, ast.BinOp | ast.AugAssign) and isinstance(node.op, ast.Div):
            yield node, "/"
        if isinstance(node, ast.Import):
            for name in {alias.name for alias in node.names} & FORBIDDEN_MODULES:
                yield node, name
        if isinstance(node, ast.ImportFrom) and node.module in FORBIDDEN_MODULES:
            yield node, node.module


def test_the_state_machine_is_deterministic():
    found = [
        f"{at(path, node)}: {name}"
        for path in STATE_MACHINE
        for node, name in _find_indeterminate(parse(path))
        if name not in MAY_NOT_BE_DETERMINISTIC.get(name_of(path), {})
    ]
    assert found == []


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("total / 2", "/"),
        ("total /= 2", "/"),
        ("[x for x in {1, 2}]", "set order"),
        ("for x in set(names): pass", "set order"),
        ("text.casefold()", "casefold"),
        ("hash(value)", "hash"),
        ("import re", "re"),
        ("from decimal import Decimal", "decimal"),
    ],
)
def test_what_is_planted_is_found(source, name):
    assert [found for _, found in _find_indeterminate(ast.parse(source))] == [name]


def test_no_floats_where_money_is():
    found = [
        f"{at(path, node)}: {node.value}"
        for path in NO_FLOATS
        for node in ast.walk(parse(path))
        if isinstance(node, ast.Constant) and isinstance(node.value, float | complex)
    ]
    assert found == []


# --- contracts ----------------------------------------------------------------------------------

CONTRACTS = [
    path for path in MODULES if SOURCE / "contracts" in path.parents and path.stem != "__init__"
]


def _resolve(module, node: ast.expr):
    """Find what a name or a dotted name means in `module`, or None."""
    if isinstance(node, ast.Name):
        return getattr(module, node.id, None)
    if isinstance(node, ast.Attribute):
        return getattr(_resolve(module, node.value), node.attr, None)
    return None


def _is_foreign_row(value, owner: str) -> bool:
    rows = importlib.import_module("hansa.kernel.rows")
    return (
        isinstance(value, type)
        and issubclass(value, rows.Row)
        and value.__module__.startswith("hansa.contracts.")
        and value.__module__ not in _modules_of(owner)
    )


def _modules_of(owner: str) -> set[str]:
    """Names of the modules that make up one contract."""
    parts = importlib.import_module("hansa.contracts.registry").PARTS
    others = parts.get(getattr(importlib.import_module(owner), "NAME", ""), ())
    return {owner, *(module.__name__ for module in others)}


@pytest.mark.parametrize("path", CONTRACTS, ids=lambda path: path.stem)
def test_a_contract_writes_only_its_own_tables(path):
    """Neither makes nor deletes rows that another contract owns: it calls the owner instead."""
    owner = name_of(path)
    module = importlib.import_module(owner)
    trespasses = []
    for node in ast.walk(parse(path)):
        if not isinstance(node, ast.Call):
            continue
        if _is_foreign_row(_resolve(module, node.func), owner):
            trespasses.append(f"{at(path, node)}: makes {ast.unparse(node.func)}")
        is_delete = isinstance(node.func, ast.Attribute) and node.func.attr in {"delete", "put"}
        if is_delete and node.args and _is_foreign_row(_resolve(module, node.args[0]), owner):
            trespasses.append(f"{at(path, node)}: deletes {ast.unparse(node.args[0])}")
    assert trespasses == []


def _annotated_rows(module, function: ast.FunctionDef, owner: str) -> set[str]:
    """Names in a function that hold another contract's rows, as far as its text tells."""
    arguments = [*function.args.args, *function.args.kwonlyargs]
    names = {
        argument.arg
        for argument in arguments
        if argument.annotation is not None
        and _is_foreign_row(_resolve(module, argument.annotation), owner)
    }
    for node in ast.walk(function):
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call):
            call = node.value
            is_get = isinstance(call.func, ast.Attribute) and call.func.attr == "get"
            if is_get and call.args and _is_foreign_row(_resolve(module, call.args[0]), owner):
                names |= {target.id for target in node.targets if isinstance(target, ast.Name)}
    return names


@pytest.mark.parametrize("path", CONTRACTS, ids=lambda path: path.stem)
def test_a_contract_puts_back_no_foreign_row(path):
    owner = name_of(path)
    module = importlib.import_module(owner)
    trespasses = []
    for function in functions(path):
        foreign = _annotated_rows(module, function, owner)
        for node in ast.walk(function):
            is_put = (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Attribute)
                and node.func.attr == "put"
            )
            if (
                is_put
                and foreign & {name.id for name in ast.walk(node) if isinstance(name, ast.Name)}
                and not _builds_own_row(module, node, owner)
            ):
                trespasses.append(f"{at(path, node)}: {ast.unparse(node)}")
    assert trespasses == []


def _builds_own_row(module, put: ast.Call, owner: str) -> bool:
    """Whether the row put is made on the spot by a class of the contract's own."""
    row = put.args[0] if put.args else None
    made = _resolve(module, row.func) if isinstance(row, ast.Call) else None
    return isinstance(made, type) and made.__module__ == owner


def test_tables_have_names_of_their_own():
    rows = importlib.import_module("hansa.kernel.rows").Row
    for path in MODULES:
        if path in STATE_MACHINE:
            importlib.import_module(name_of(path))
    owners: dict[bytes, set[str]] = {}
    for row in rows.__subclasses__():
        if row.__module__.startswith(("hansa.kernel", "hansa.contracts")):
            owners.setdefault(row.TABLE, set()).add(f"{row.__module__}.{row.__name__}")
    assert {table: names for table, names in owners.items() if len(names) > 1} == {}
    assert all(len(table) == 2 for table in owners)


# --- imports ------------------------------------------------------------------------------------

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
LOCKED = {
    package["name"]: package["version"]
    for package in tomllib.loads((ROOT / "uv.lock").read_text())["package"]
    if "version" in package
}


def read_dependency_rows():
    """Read the tables of docs/dependencies.md as dicts by column name."""
    header, rows = None, []
    for line in (ROOT / "docs" / "dependencies.md").read_text().splitlines():
        if not line.startswith("|"):
            header = None
            continue
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if header is None:
            header = cells
        elif not set(line) <= set("|-"):
            rows.append(dict(zip(header, cells, strict=True)))
    return rows


def _imported(tree: ast.Module):
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node, alias.name.split(".")[0]
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            yield node, node.module.split(".")[0]


def test_every_import_is_a_listed_dependency():
    allowed = {
        row["import"].strip("`"): re.findall(r"`([\w.]+)`", row["imported by"])
        for row in read_dependency_rows()
        if "import" in row
    }
    strangers = [
        f"{at(path, node)}: {package}"
        for path in MODULES
        for node, package in _imported(parse(path))
        if package not in sys.stdlib_module_names
        and package != "hansa"
        and not any(
            f"{name_of(path)}.".startswith(f"{importer}.") for importer in allowed.get(package, [])
        )
    ]
    assert strangers == []


def test_every_importer_that_is_listed_imports():
    imports = {
        (name_of(path), package) for path in MODULES for _, package in _imported(parse(path))
    }
    idle = [
        f"{importer}: {row['import']}"
        for row in read_dependency_rows()
        if "import" in row
        for importer in re.findall(r"`([\w.]+)`", row["imported by"])
        if not any(
            package == row["import"].strip("`") and f"{module}.".startswith(f"{importer}.")
            for module, package in imports
        )
    ]
    assert idle == []


def test_listed_dependencies_are_those_declared_and_locked():
    extras = PROJECT["project"]["optional-dependencies"].values()
    declared = [
        *PROJECT["project"]["dependencies"],
        *(line for extra in extras for line in extra),
        *PROJECT["dependency-groups"]["dev"],
    ]
    names = {re.match(r"[\w-]+", line).group() for line in declared}
    listed = {row["package"]: row["version"] for row in read_dependency_rows()}
    assert listed == {name: LOCKED[name] for name in names}


def test_every_package_between_is_kept_independent():
    """Domain packages join import-linter's contract of independence when they are made."""
    contracts = PROJECT["tool"]["importlinter"]["contracts"]
    (independent,) = [each["modules"] for each in contracts if each["type"] == "independence"]
    there = {f"hansa.{name}" for name in BETWEEN if (SOURCE / name / "__init__.py").exists()}
    assert set(independent) == there
    known = BETWEEN | {"cli", "contracts", "kernel", "node"}
    packages = {path.parent.name for path in SOURCE.glob("*/__init__.py")}
    assert packages <= known, "a new package needs its place in the layers"
