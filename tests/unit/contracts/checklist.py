"""The check list that every contract passes: what a reviewer would look for first.

`check_contract` returns what it finds, in words; a sound contract has no findings. It reads a
contract's modules as they are written and tries its commands on hostile bytes. What only running
can tell (same inputs, same writes; a refusal writes nothing; every code is reached) is checked
by `harness.Harness` and `test_reached.py`.
"""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator
from enum import Enum, StrEnum
from itertools import pairwise
from types import ModuleType, UnionType
from typing import Annotated, Any, Union, get_args, get_origin, get_type_hints

import msgspec

from hansa.kernel.contract import Command, Contract, Event, decode_arguments
from hansa.kernel.encoding import encode
from hansa.kernel.errors import Invalid, InvalidCode
from hansa.kernel.rows import Row

WRITES = {"put", "delete", "put_vault", "post", "count_asset", "replace_keys"} | {
    *("begin", "supersede", "publish", "set_lift"),
}
"""Calls that write; a name of one's own may be among them without harm."""
PARTS = ("records.", "documents.", "windows.", "in_force.")
"""How a contract calls functions of its own parts."""
TABLE_BYTES = 2


def check_contract(
    module: ModuleType, parts: tuple[ModuleType, ...] = (), others: tuple[ModuleType, ...] = ()
) -> list[str]:
    """Find what is wrong with a contract.

    Args:
      module: the contract's own module.
      parts: modules that belong to it beside its own.
      others: modules of all other contracts, whose tables it must not name again.
    """
    findings: list[str] = []
    for part in (module, *parts):
        findings += [f"{part.__name__}: {text}" for text in _check_module(part)]
    name = module.NAME
    findings += _check_codes(name, (module, *parts))
    findings += _check_tables((module, *parts), others)
    findings += _check_commands(module)
    return findings


# --- what a module looks like ---------------------------------------------------------------------

ORDER = ("constant", "code", "row", "command", "event", "function", "private", "commands")


def _check_module(module: ModuleType) -> Iterator[str]:
    tree = ast.parse(inspect.getsource(module))
    text = ast.get_docstring(tree) or ""
    if "Source:" not in text and "Part of the contract" not in text and "example" not in text:
        yield "its docstring names no source"
    yield from _check_order(module, tree)
    for node in tree.body:
        if isinstance(node, ast.FunctionDef):
            yield from _check_paragraphs(node, inspect.getsource(module))


def _check_order(module: ModuleType, tree: ast.Module) -> Iterator[str]:
    """Classes in the order code, rows, commands, events; then functions, private ones last."""
    last = 0
    for node in tree.body:
        kind = _find_kind(module, node)
        if kind is None:
            continue
        place = ORDER.index(kind)
        if place < last:
            yield f"line {node.lineno}: a {kind} stands after a {ORDER[last]}"
        last = max(last, place)


def _find_kind(module: ModuleType, node: ast.stmt) -> str | None:
    """Name the part of a module that a statement is; None for what may stand anywhere."""
    if isinstance(node, ast.FunctionDef):
        return "private" if node.name.startswith("_") else "function"
    if isinstance(node, ast.AnnAssign) and ast.unparse(node.target) == "COMMANDS":
        return "commands"
    if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) in {"NAME", "VERSION"}:
        return "constant"
    if not isinstance(node, ast.ClassDef):
        return None
    value = vars(module)[node.name]
    bases = {Command: "command", Event: "event", Row: "row"}
    found = [kind for base, kind in bases.items() if issubclass(value, base)]
    return "code" if node.name == "Code" else next(iter(found), None)


def _check_paragraphs(function: ast.FunctionDef, source: str) -> Iterator[str]:
    """No write before `# CHANGE`, no check after it."""
    lines = source.splitlines()[function.lineno - 1 : function.end_lineno]
    marks = {
        mark: function.lineno + index
        for index, line in enumerate(lines)
        for mark in ("CHECK", "CHANGE", "TELL")
        if line.strip() == f"# {mark}"
    }
    if not marks:
        return
    if list(marks) != ["CHECK", "CHANGE", "TELL"]:
        yield f"{function.name}: its paragraphs are {', '.join(marks)}"
        return
    for node in ast.walk(function):
        word = _find_call(node)
        if word in WRITES and node.lineno < marks["CHANGE"]:
            yield f"{function.name}, line {node.lineno}: {word} writes before all is checked"
        is_check = isinstance(node, ast.Raise) or (
            word is not None and word.startswith(("require", "check_", "_require", "_check"))
        )
        if is_check and node.lineno > marks["CHANGE"]:
            yield f"{function.name}, line {node.lineno}: checks after the first write"


def _find_call(node: ast.AST) -> str | None:
    if not isinstance(node, ast.Call):
        return None
    function = node.func
    return function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", None)


# --- codes ----------------------------------------------------------------------------------------


def find_codes(modules: tuple[ModuleType, ...]) -> type[StrEnum] | None:
    """Find the enumeration of a contract's own codes."""
    for module in modules:
        code = vars(module).get("Code")
        if code is not None:
            return code
    return None


def _check_codes(name: str, modules: tuple[ModuleType, ...]) -> Iterator[str]:
    code = find_codes(modules)
    if code is None:
        yield f"{name}: it has no Code"
        return
    for each in code:
        if each.value != f"{name}.{each.name}":
            yield f"{name}: the code {each.name} travels as {each.value}"
    functions = _list_functions(modules)
    raised = {word for function in functions.values() for word in _list_raised(function)}
    for each in code:
        if each.name not in raised:
            yield f"{name}: nothing refuses with {each.name}"
    places = {each.name: place for place, each in enumerate(code)}
    for word in sorted(functions):
        yield from _check_precedence(word, functions, places)


def _list_functions(modules: tuple[ModuleType, ...]) -> dict[str, ast.FunctionDef]:
    return {
        node.name: node
        for module in modules
        for node in ast.parse(inspect.getsource(module)).body
        if isinstance(node, ast.FunctionDef)
    }


def _list_raised(function: ast.FunctionDef) -> list[str]:
    """List the contract's own codes that a function names itself, in the order of its lines."""
    named = [
        node
        for node in ast.walk(function)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name)
    ]
    own = [node for node in named if node.value.id == "Code"]  # type: ignore[attr-defined]
    return [node.attr for node in sorted(own, key=lambda node: (node.lineno, node.col_offset))]


def _check_precedence(
    word: str, functions: dict[str, ast.FunctionDef], places: dict[str, int]
) -> Iterator[str]:
    """A public function refuses with codes in their order, the private ones it calls included."""
    if word.startswith("_"):
        return
    codes = list(dict.fromkeys(_follow_codes(functions[word], functions, ())))
    for earlier, later in pairwise(codes):
        if places[later] < places[earlier]:
            yield f"{word} refuses with {later} after {earlier}, against the order of Code"


def _follow_codes(
    function: ast.FunctionDef, functions: dict[str, ast.FunctionDef], path: tuple[str, ...]
) -> Iterator[str]:
    """List codes in the order of execution, as far as the text tells: calls are followed."""
    own = {
        (node.lineno, node.col_offset): node
        for node in ast.walk(function)
        if isinstance(node, ast.Attribute | ast.Call)
    }
    for place in sorted(own):
        node = own[place]
        if isinstance(node, ast.Attribute):
            if isinstance(node.value, ast.Name) and node.value.id == "Code":
                yield node.attr
            continue
        called = _find_call(node)
        is_ours = isinstance(node.func, ast.Name) or ast.unparse(node.func).startswith(PARTS)
        if called in functions and called not in path and is_ours:
            yield from _follow_codes(functions[called], functions, (*path, called))


# --- tables ---------------------------------------------------------------------------------------


def list_classes(modules: tuple[ModuleType, ...], base: type) -> list[type]:
    """List the classes of this kind that these modules define."""
    return [
        value
        for module in modules
        for value in vars(module).values()
        if inspect.isclass(value)
        and issubclass(value, base)
        and value.__module__ == module.__name__
    ]


def _check_tables(modules: tuple[ModuleType, ...], others: tuple[ModuleType, ...]) -> Iterator[str]:
    taken = {row.TABLE: row.__name__ for row in list_classes(others, Row)}
    for row in list_classes(modules, Row):
        if len(row.TABLE) != TABLE_BYTES or not row.TABLE.isascii():
            yield f"{row.__name__}: its table is {row.TABLE!r}, not two letters"
        if row.TABLE in taken:
            yield f"{row.__name__}: the table {row.TABLE!r} is that of {taken[row.TABLE]}"
        taken[row.TABLE] = row.__name__
        foreign = [field for field in row.KEY if field not in row.__struct_fields__]
        if foreign:
            yield f"{row.__name__}: its key {foreign[0]} is none of its fields"
            continue
        sample = build_sample(row)
        if msgspec.msgpack.decode(encode(sample), type=row) != sample:
            yield f"{row.__name__}: a row does not come back from its encoding"
        if not sample.row_key().startswith(row.TABLE):
            yield f"{row.__name__}: its key does not begin with its table"
    for written in (*list_classes(modules, Row), *list_classes(modules, Event)):
        for path in find_unbounded(written):
            yield f"{path} is an integer without bounds"


def find_unbounded(kind: Any, path: str = "", meta: tuple[Any, ...] = ()) -> Iterator[str]:
    """Find integers of a type that no bounds hold within what the encoding can carry."""
    while get_origin(kind) is Annotated:
        kind, *more = get_args(kind)
        meta = (*meta, *more)
    if get_origin(kind) is not None:
        for part in get_args(kind):
            yield from find_unbounded(part, path)
    elif inspect.isclass(kind) and issubclass(kind, msgspec.Struct):
        hints = get_type_hints(kind, include_extras=True)
        for name in kind.__struct_fields__:
            yield from find_unbounded(hints[name], f"{kind.__name__}.{name}")
    elif kind is int:
        bounds = [[getattr(each, end) for each in meta] for end in ("ge", "le")]
        if not all(any(each is not None for each in ends) for ends in bounds):
            yield path


# --- commands -------------------------------------------------------------------------------------


def _check_commands(module: ModuleType) -> Iterator[str]:
    contract = Contract.build(module.NAME, module.VERSION, bytes(32), module.COMMANDS)
    for word, entry in contract.commands.items():
        raw = encode(build_sample(entry.command))
        if encode(decode_arguments(contract, word, entry, raw)) != raw:
            yield f"{word}: its arguments do not come back from their encoding"
        for text, bad in _spoil(entry.command):
            code = _decode(contract, word, bad)
            wanted = InvalidCode.AMOUNT if text.startswith("amount") else InvalidCode.ARGUMENTS
            if code is not wanted:
                yield f"{word}: {text} is {code or 'accepted'}, not {wanted}"


def _decode(contract: Contract, word: str, raw: bytes) -> InvalidCode | None:
    try:
        decode_arguments(contract, word, contract.commands[word], raw)
    except Invalid as error:
        return error.code
    return None


def _spoil(command: type[Command]) -> Iterator[tuple[str, bytes]]:
    """Build encodings that must be refused, each with what is wrong about it."""
    raw = encode(build_sample(command))
    fields = msgspec.msgpack.decode(raw)
    yield "a missing field", encode(fields[:-1])
    yield "a field too many", encode([*fields, 1])
    yield "a byte too many", raw + b"\x00"
    yield "a map", encode(dict(zip(command.__struct_fields__, fields, strict=True)))
    hints = get_type_hints(command, include_extras=True)
    for place, name in enumerate(command.__struct_fields__):
        for text, value in _spoil_value(name, hints[name]):
            yield f"{text} as {name}", encode([*fields[:place], value, *fields[place + 1 :]])


def _spoil_value(name: str, hint: Any) -> list[tuple[str, Any]]:
    if name.endswith("_minor"):
        return [("amount -1", -1), ("amount 2**63", 2**63), ("amount 1.5", 1.5)]
    kind = _find_base(hint)
    least, most = _find_lengths(hint)
    if kind is bytes:
        short = [(f"{least - 1} bytes", bytes(least - 1))] if least else []
        return [*short, (f"{most + 1} bytes", bytes(most + 1)), ("text", "x" * most)]
    if kind is str:
        short = [("no text" if least == 1 else "a short text", "x" * (least - 1))] if least else []
        return [*short, ("a number", 1), ("a long text", "x" * (most + 1))]
    if kind is int:
        return [("a negative number", -1), ("2**63", 2**63), ("text", "1")]
    spoilt = [("nothing", None), ("a wrong type", 1.5)]
    if get_origin(kind) is tuple and get_origin(hint) is Annotated:
        item = build_sample(get_args(kind)[0])
        spoilt += [(f"{most + 1} items", [item] * (most + 1))]
        spoilt += [("no items", [])] if least else []
    return spoilt


def _find_lengths(hint: Any) -> tuple[int, int]:
    """Find how long a value of bytes or text must and may be; where nothing is said, 1 to 1,000."""
    if get_origin(hint) is not Annotated:
        return 1, 1_000
    meta = get_args(hint)[1:]
    least = max((each.min_length for each in meta if each.min_length is not None), default=0)
    most = min((each.max_length for each in meta if each.max_length is not None), default=1_000)
    return least, most


def _find_base(hint: Any) -> type:
    while get_origin(hint) is Annotated:
        hint = get_args(hint)[0]
    return hint


def build_sample(kind: Any) -> Any:
    """Build a least value of a type, from the annotations of its fields."""
    meta: list[msgspec.Meta] = []
    while get_origin(kind) is Annotated:
        kind, *more = get_args(kind)
        meta += more
    if get_origin(kind) in (Union, UnionType):
        return None
    least = max((each.min_length or 0 for each in meta), default=0)
    if get_origin(kind) is tuple:
        return (build_sample(get_args(kind)[0]),) * least
    if kind is msgspec.Raw:
        return msgspec.Raw(encode(["x"]))
    if inspect.isclass(kind) and issubclass(kind, msgspec.Struct):
        hints = get_type_hints(kind, include_extras=True)
        return kind(*(build_sample(hints[name]) for name in kind.__struct_fields__))
    if inspect.isclass(kind) and issubclass(kind, Enum):
        return next(iter(kind))
    smallest = max((each.ge or 0 for each in meta), default=0)
    return {bytes: bytes(least), str: "x" * least, int: smallest, bool: False}[kind]
