"""Documentation as a test: commands exist, links lead somewhere, examples give what they say.

In a fenced `sh` block of README.md or docs/, every line that calls `make` or `hansa` must name a
target, or a command with its options, that is there. Blocks of other languages are examples of
text, except `python` blocks with `>>>`, which run.
"""

from __future__ import annotations

import doctest
import functools
import importlib
import io
import itertools
import os
import re
import shlex
import subprocess
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from unittest import mock

import pytest
from tests.conftest import HANSA

from hansa.cli.main import EXIT_CODES, build_parser, main
from hansa.node.replay.source import DEFAULT_MAP

ROOT = Path(__file__).resolve().parent.parent
SOURCE = ROOT / "src"
PAGES = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md"))]
QUICK = {("hansa", "--help"), ("hansa", "--version")}
"""Commands that need no node and no data: these run."""

OTHERS_COMMANDS = {
    *("cat", "cd", "cp", "curl", "dd", "export", "mkdir", "mv", "printf", "pytest", "systemctl"),
}
"""Commands of others that a page may use; what they do is not ours to test."""


def read_blocks(page: Path, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", page.read_text(), re.MULTILINE | re.DOTALL)


def read_commands() -> list[tuple[str, str]]:
    """Read (page, command line) of every fenced `sh` block, continued lines joined."""
    commands = []
    for page in PAGES:
        for block in read_blocks(page, "sh"):
            for line in block.replace("\\\n", " ").splitlines():
                text = line.strip().removeprefix("$ ")
                if text and not re.match(r"#|\w+\(\) *{", text):  # neither comment nor function
                    commands.append((str(page.relative_to(ROOT)), text))
    return commands


def split_words(text: str) -> list[str]:
    """Split a command line; only the first command of a pipe or chain, without its environment.

    Of `NAME=$(command)` it is the command.
    """
    words = shlex.split(re.sub(r"^[A-Z_]+=\$\((.*)\)$", r"\1", text), comments=True)
    for index, word in enumerate(words):
        if word in {"|", "&&", ";", ">", ">>", "&", "||"}:
            words = words[:index]
            break
    while words and re.fullmatch(r"[A-Z_]+=.*", words[0]):
        words = words[1:]
    return words


@functools.cache
def read_help(*words: str) -> str | None:
    """Read what `hansa WORDS --help` prints, or None if there is no such command."""
    printed = io.StringIO()
    wide = mock.patch.dict(os.environ, COLUMNS="200")
    with wide, redirect_stdout(printed), redirect_stderr(io.StringIO()):
        code = main([*words, "--help"])
    return printed.getvalue() if code == 0 else None


def check_make(words: list[str]) -> str | None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    missing = [word for word in words if "=" not in word and word not in targets]
    return f"no target {missing[0]} in the Makefile" if missing else None


def check_hansa(words: list[str]) -> str | None:
    """Check the command, its subcommand if it has some, and its options.

    With `--help` behind it, an unknown command or subcommand fails, and an argument is not read.
    """
    leading = [*itertools.takewhile(lambda word: not word.startswith("-"), words)][:3]
    manual = read_help(*leading)
    if manual is None:
        return f"there is no hansa {' '.join(leading)}"
    options = {word.split("=", 1)[0] for word in words if word.startswith("--")}
    unknown = sorted(option for option in options if not re.search(rf"{option}\b", manual))
    return f"hansa {' '.join(leading)} has no option {unknown[0]}" if unknown else None


@pytest.mark.parametrize(("page", "text"), read_commands())
def test_commands_on_pages_exist(page, text):
    program, *words = split_words(text)
    name = Path(program).name
    functions = re.findall(r"^(\w+)\(\) *{", (ROOT / page).read_text(), re.MULTILINE)
    if name == "make":
        problem = check_make(words)
    elif name == "hansa":
        problem = check_hansa(words)
    elif program.startswith("./"):
        problem = None if (ROOT / program).exists() else "no such file"
    else:
        is_known = name in OTHERS_COMMANDS or name in functions
        problem = None if is_known else "neither ours nor a listed one of others"
    assert problem is None, f"{page}: {text}: {problem}"


@pytest.mark.parametrize(
    "words",
    sorted(
        tuple(words[1:])
        for _, text in read_commands()
        if (words := split_words(text)) and (Path(words[0]).name, *words[1:]) in QUICK
    ),
)
def test_quick_commands_run(words):
    done = subprocess.run([HANSA, *words], capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")


# --- links --------------------------------------------------------------------------------------


def make_anchor(heading: str) -> str:
    """Compute the anchor of a heading as GitHub does."""
    plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).replace("`", "").strip().lower()
    return re.sub(r"[^\w\- ]", "", plain).replace(" ", "-")


def read_anchors(page: Path) -> set[str]:
    text = re.sub(r"^```.*?^```", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
    headings = re.findall(r"^#{1,6} (.+)$", text, re.MULTILINE)
    named = re.findall(r"<a (?:id|name)=\"([^\"]+)\"", text)
    return {make_anchor(heading) for heading in headings} | set(named)


def find_broken_links(page: Path) -> list[str]:
    text = re.sub(r"^```.*?^```", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
    text = re.sub(r"`[^`\n]*`", "", text)
    targets = re.findall(r"\]\(<?([^)\s>]+)>?(?: \"[^\"]*\")?\)", text)
    targets += re.findall(r"<img[^>]* src=\"([^\"]+)\"", text)
    broken = []
    for target in targets:
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        file = (page.parent / path).resolve() if path else page
        is_missing = not file.exists() or not file.is_relative_to(ROOT)
        if is_missing or (anchor and file.suffix == ".md" and anchor not in read_anchors(file)):
            broken.append(target)
    return broken


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page):
    assert find_broken_links(page) == []


def test_the_index_leads_to_every_page():
    """docs/README.md names each page under docs/, or the folder of decisions."""
    index = ROOT / "docs" / "README.md"
    targets = re.findall(r"\]\(([^)#]+)", index.read_text())
    reached = {(index.parent / target).resolve() for target in targets}
    missing = [
        str(page.relative_to(ROOT))
        for page in PAGES
        if page != index and not {page, page.parent} & reached and page.parent != ROOT
    ]
    assert missing == []


def test_decisions_are_numbered_in_order():
    pages = sorted((ROOT / "docs" / "decisions").glob("*.md"))
    assert [page.name[:4] for page in pages] == [f"{n:04}" for n in range(1, len(pages) + 1)]
    for page in pages:
        text = page.read_text()
        assert text.startswith(f"# {page.name[:4]} · ")
        assert "**Decided.**" in text
        assert re.search(r"Not taken|Rejected|rejected", text), f"{page.name}: what was rejected?"


def test_the_readme_is_two_screens():
    text = (ROOT / "README.md").read_text()
    assert len(text.splitlines()) <= 80
    assert len(re.findall(r"^- \[", text, re.MULTILINE)) == 5
    (picture,) = re.findall(r"!\[[^\]]+\]\(([^)]+)\)", text)
    assert (ROOT / picture).stat().st_size < 150_000


BEYOND = re.compile(r"\bDESIGN\b|\bCONVENTIONS\b|\b[Ii]ssue #?\d+\b(?!,\d)|/work/|/tmp/wt")
"""Papers and places that a reader with a clone does not have."""


def test_nothing_points_out_of_the_clone():
    sources = [*PAGES, ROOT / "Makefile", ROOT / "pyproject.toml"]
    for folder in ("src", "tests", "scripts"):
        sources += [
            path
            for path in (ROOT / folder).rglob("*")
            if path.suffix in {".py", ".md", ".sh", ".toml", ".html", ".css", ".js", ".mjs"}
            and "node_modules" not in path.parts
        ]
    found = [
        f"{path.relative_to(ROOT)}: {line.strip()}"
        for path in sources
        if path != Path(__file__)
        for line in path.read_text().splitlines()
        if BEYOND.search(line)
    ]
    assert found == []


def test_pages_that_sources_name_are_there():
    named = {
        page
        for folder in ("src", "tests", "scripts")
        for path in (ROOT / folder).rglob("*")
        if path.suffix in {".py", ".sh", ".md", ".html"} and "node_modules" not in path.parts
        for page in re.findall(r"\bdocs/[\w/.-]+\.md\b", path.read_text())
    }
    assert len(named) > 10
    assert sorted(page for page in named if not (ROOT / page).is_file()) == []


def test_the_glossary_has_each_word_once_in_order():
    rows = re.findall(
        r"^\| ([^|]+) \| [^|]+ \|$", (ROOT / "docs/glossary.md").read_text(), re.MULTILINE
    )
    words = [word for word in rows if word not in {"word", "---"}]
    assert words == sorted(set(words), key=str.lower)


# --- examples -----------------------------------------------------------------------------------


def test_the_tutorial_shows_the_example_contract_as_it_is():
    """Blocks that are not examples to run stand in the module, word for word."""
    module = (ROOT / "tests" / "unit" / "contracts" / "examples" / "licences.py").read_text()
    blocks = read_blocks(ROOT / "docs" / "tutorials" / "write-a-contract.md", "python")
    shown = [block for block in blocks if ">>> " not in block]
    assert len(shown) > 5
    assert [block for block in shown if block not in module] == []


def with_doctests() -> list[str]:
    return [
        ".".join(path.relative_to(SOURCE).with_suffix("").parts).removesuffix(".__init__")
        for path in sorted(SOURCE.rglob("*.py"))
        if ">>> " in path.read_text()
    ]


@pytest.mark.parametrize("module", with_doctests())
def test_examples_in_docstrings_run(module):
    results = doctest.testmod(importlib.import_module(module))
    assert results.attempted > 0
    assert results.failed == 0


@pytest.mark.parametrize(
    "page",
    [page for page in PAGES if any(">>> " in block for block in read_blocks(page, "python"))],
    ids=lambda page: str(page.relative_to(ROOT)),
)
def test_examples_on_pages_run(page):
    """The blocks of a page run in order and share their names."""
    text = "\n".join(read_blocks(page, "python"))
    example = doctest.DocTestParser().get_doctest(text, {}, str(page), str(page), 0)
    assert doctest.DocTestRunner().run(example).failed == 0


def test_the_tables_of_the_state_are_all_described():
    """docs/reference/wire.md names every contract's rows, their keys and fields, in order."""
    described = set((ROOT / "docs/reference/wire.md").read_text().splitlines())
    importlib.import_module("hansa.contracts.registry")
    rows = importlib.import_module("hansa.kernel.rows").Row.__subclasses__()
    missing = []
    for row in rows:
        package, _, module = row.__module__.rpartition(".")
        if f"{package}.".startswith("hansa.contracts."):
            fields = [f"[{name}]" if name in row.KEY else name for name in row.__struct_fields__]
            title = f"`{module}`, {row.__name__}"
            missing.append(f"| `{row.TABLE.decode()}` | {title} | {', '.join(fields)} |")
    assert [line for line in missing if line not in described] == []


# --- the command line ---------------------------------------------------------------------------

REFERENCE = ROOT / "docs" / "reference" / "cli.md"


def list_commands(parser, words=("hansa",)):
    """List (command, its options) of a parser and of all below it."""
    actions = parser._actions  # noqa: SLF001 - argparse shows its options nowhere else
    below = [action for action in actions if isinstance(action.choices, dict)]
    if not below:
        options = {name for action in actions for name in action.option_strings}
        yield " ".join(words), options - {"-h", "--help"}
    for action in below:
        for word, each in action.choices.items():
            yield from list_commands(each, (*words, word))


def read_sections(text: str) -> dict[str, set[str]]:
    """Read the options that each section of the reference lists, shared ones included."""
    found = {}
    for section in re.split(r"^##+ ", text, flags=re.MULTILINE)[1:]:
        heading, _, body = section.partition("\n")
        found[heading.strip()] = set(re.findall(r"^\| `(--[\w-]+)`", body, re.MULTILINE))
        for shared in re.findall(r"Takes the \[(\w+ options)\]", body):
            found[heading.strip()] |= found["Connection options"]
            found[heading.strip()] |= found.get(shared.capitalize(), set())
    return found


def test_the_reference_lists_every_command_and_option():
    """Whoever adds a command or an option adds its row to docs/reference/cli.md."""
    sections = read_sections(REFERENCE.read_text())
    described = {name: options for name, options in sections.items() if name.startswith("hansa ")}
    assert described == dict(list_commands(build_parser()))


def test_the_reference_shows_the_default_map_of_replay():
    text = re.sub(r"^#.*\n", "", DEFAULT_MAP)
    assert f"```toml\n{text}```" in REFERENCE.read_text()


def test_the_reference_lists_the_exit_codes():
    rows = re.findall(r"^\| (\d+) \| `(\w+)` \|", REFERENCE.read_text(), re.MULTILINE)
    assert {(name, int(code)) for code, name in rows} == {
        (kind.__name__, code) for kind, code in EXIT_CODES
    }
