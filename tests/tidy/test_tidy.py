"""The house rules that neither ruff nor import-linter knows."""

import ast
import importlib
import re
import sys
import tomllib
from functools import cache
from pathlib import Path

import pytest
import typer

from gatekeep import limits
from gatekeep.cli.main import SUBCOMMANDS

ROOT = Path(__file__).parents[2]
HOUSE = ROOT / "gatekeep"
DOCUMENTS = (
    "README.md",
    "ARCHITECTURE.md",
    "CHANGELOG.md",
    "bench/README.md",
    "docs/recognition.md",
)
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]

LINES_MAX = 400
LONG = {
    "limits.py": "every bound stands in one place (I10)",
    "verify.py": "an auditor reads one file, which stands alone",
    "_fast/checks.pyx": "one table of validators; a call across modules is not inlined",
    "_fast/head.pyx": "one automaton over a head",
    "_fast/splice.pyx": "what all walkers cut and join with, inlined by none but itself",
    "_fast/walk_json.pyx": "one automaton over JSON",
    "_fast/walk_xml.pyx": "one automaton over XML",
}
"""Files over `LINES_MAX` lines, and why each is not two."""

IN_KERNELS = {
    "MASKED_DEPTH_MAX": ("walk_json.pxd", "DEPTH"),
    "MASKED_NESTING_MAX": ("walk_json.pxd", "NESTING"),
}
"""Bounds that are compiled into a kernel, under a name of its own."""

IMPORT_NAMES = {"pyjwt": "jwt"}
"""Packages that are imported by another name than their own."""


def sources(*folders, suffixes=(".py", ".pyx", ".pxd", ".pyi")):
    """Every file of these folders that somebody wrote."""
    return [
        path
        for folder in folders
        for path in sorted((ROOT / folder).rglob("*"))
        if path.suffix in suffixes and "results" not in path.parts
    ]


WRITTEN = [
    *sources("gatekeep", "tests", "bench", "conf", "docs", ".ci",
             suffixes=(".py", ".pyx", ".pxd", ".pyi", ".md", ".toml", ".cedar",
                       ".service", ".c", "")),
    *(path for path in ROOT.iterdir() if path.suffix in (".md", ".toml", ".py")),
    ROOT / "Makefile",
]  # fmt: skip
WRITTEN = [
    path for path in WRITTEN if path.is_file() and path != Path(__file__).resolve()
]


def lines_with(pattern, paths):
    """``file:line: text`` of every line that the pattern is in."""
    found = re.compile(pattern)
    return [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()}"
        for path in paths
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if found.search(line)
    ]


@cache
def tree(path):
    return ast.parse(path.read_text(), str(path))


# --- the house ------------------------------------------------------------------


def test_every_bound_is_kept_somewhere():
    names = {
        node.targets[0].id
        for node in tree(HOUSE / "limits.py").body
        if isinstance(node, ast.Assign)
    }
    assert len(names) > 100
    elsewhere = "\n".join(
        path.read_text()
        for path in sources("gatekeep", suffixes=(".py", ".pyx"))
        if path.name != "limits.py"
    )
    used = set(re.findall(r"\b[A-Z][A-Z0-9_]+\b", elsewhere))
    assert names - used - set(IN_KERNELS) == {"KIB"}


@pytest.mark.parametrize("name", IN_KERNELS)
def test_a_kernel_has_the_bound_that_is_named(name):
    file, constant = IN_KERNELS[name]
    text = (HOUSE / "_fast" / file).read_text()
    (value,) = re.findall(rf"^ +{constant} = (\d+)\b", text, re.MULTILINE)
    assert int(value) == getattr(limits, name)


def test_long_files_are_the_ones_that_have_a_reason():
    long = {
        path.relative_to(HOUSE).as_posix()
        for path in sources("gatekeep")
        if len(path.read_text().splitlines()) > LINES_MAX
    }
    assert long == set(LONG)


def test_each_kernel_has_its_types():
    kernels = sources("gatekeep/_fast", suffixes=(".pyx",))
    assert kernels
    assert [path for path in kernels if not path.with_suffix(".pyi").exists()] == []


def test_nothing_is_left_for_later():
    assert lines_with(r"\b(TODO|FIXME|XXX|HACK)\b", WRITTEN) == []


def test_no_path_of_a_machine_and_no_registry_is_named():
    places = r"/(work|root)/|\b(pypi\.org|pythonhosted\.org|npmjs\.org|ghcr\.io)\b"
    assert lines_with(places, WRITTEN) == []
    assert lines_with(r"[\"'`\s]/tmp\b", sources("gatekeep")) == []


def test_refusal_codes_are_dotted_and_lower_case():
    classes = {
        node.name: node
        for path in sources("gatekeep", suffixes=(".py",))
        for node in ast.walk(tree(path))
        if isinstance(node, ast.ClassDef)
    }
    errors = {"GatekeepError"}
    while (
        more := {
            name
            for name, node in classes.items()
            if errors & {ast.unparse(base).rpartition(".")[2] for base in node.bases}
        }
        - errors
    ):
        errors |= more
    calls = [
        (ast.unparse(node.func).rpartition(".")[2], node)
        for path in sources("gatekeep", suffixes=(".py",))
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Call) and node.args
    ]
    # Those that know their code themselves are made with something else.
    knowing = {name for name in errors if _first_argument(classes[name]) != "code"}
    inner = [
        node
        for name in knowing
        for node in ast.walk(classes[name])
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "super().__init__"
    ]
    codes = {
        node.args[0].value
        for node in [
            *inner,
            *(node for name, node in calls if name in errors - knowing),
        ]
        if isinstance(node.args[0], ast.Constant)
    }
    assert len(codes) > 100
    form = re.compile(r"[a-z0-9_]+(\.[a-z0-9_]+)+")
    assert sorted(code for code in codes if not form.fullmatch(code)) == []


def _first_argument(error):
    """What an error is made with first; ``code`` when its base says so."""
    for node in error.body:
        if isinstance(node, ast.FunctionDef) and node.name == "__init__":
            return node.args.args[1].arg if len(node.args.args) > 1 else ""
    return "code"


# --- dependencies ---------------------------------------------------------------


def packages(requirements):
    return {re.match(r"[\w-]+", requirement)[0] for requirement in requirements}


RUNTIME = packages(PROJECT["dependencies"])
DEMO = packages(PROJECT["optional-dependencies"]["demo"])


def table(heading, document="ARCHITECTURE.md"):
    """The cells of the first table under a heading, without its head."""
    section = (ROOT / document).read_text().split(f"\n## {heading}\n")[1]
    rows = [line for line in section.split("\n## ")[0].splitlines() if line[:1] == "|"]
    return [[cell.strip() for cell in row.strip("|").split("|")] for row in rows[2:]]


def described():
    """Package to rooms, as ARCHITECTURE tells it."""
    return {
        package: set(re.findall(r"`(\w+)`", rooms))
        for names, _, rooms in table("Dependencies")
        for package in names.split(", ")
    }


def imports():
    """What each room imports from elsewhere: pairs of module name and file."""
    for path in sources("gatekeep", suffixes=(".py",)):
        for node in ast.walk(tree(path)):
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and not node.level:
                names = [node.module]
            else:
                continue
            for name in names:
                yield name.partition(".")[0], path.relative_to(HOUSE)


def test_architecture_gives_a_reason_for_each_dependency_and_no_other():
    assert set(described()) == RUNTIME


@pytest.mark.parametrize("package", sorted(RUNTIME))
def test_architecture_says_who_imports(package):
    name = IMPORT_NAMES.get(package, package)
    rooms = {path.parts[0].removesuffix(".py") for by, path in imports() if by == name}
    assert described()[package] == rooms


def test_nothing_is_imported_that_is_not_declared():
    names = {IMPORT_NAMES.get(package, package) for package in RUNTIME}
    foreign = {
        (name, path.as_posix())
        for name, path in imports()
        if name not in sys.stdlib_module_names and name not in {"gatekeep", *names}
    }
    assert {name for name, _ in foreign} <= DEMO
    assert [path for _, path in foreign if not path.startswith("cli/demo/")] == []


# --- documents ------------------------------------------------------------------


def code_of(document):
    """The texts of a document that are set as code: spans and lines of blocks."""
    text = (ROOT / document).read_text()
    blocks = re.findall(r"^```\w*\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    prose = re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE)
    spans = [" ".join(span.split()) for span in re.findall(r"`([^`]+)`", prose)]
    lines = [line.split("  #")[0] for block in blocks for line in block.splitlines()]
    return spans, lines


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_file_that_a_document_names_is_there(document):
    text = (ROOT / document).read_text()
    spans, lines = code_of(document)
    ours = re.compile(
        r"(?:gatekeep|conf|tests|bench|docs)/[\w./-]+|[\w-]+\.(?:py|md)|conf/[\w./]+"
    )
    named = {found for found in re.findall(r"\]\(([^)#]+)\)", text) if ":" not in found}
    named |= {span for span in spans if ours.fullmatch(span)}
    named |= {word for line in lines for word in line.split() if ours.fullmatch(word)}
    near = (ROOT, HOUSE, (ROOT / document).parent)
    made = {"bench/results/"}
    assert [
        name
        for name in sorted(named - made)
        if not any((place / name).exists() for place in near)
    ] == []


def test_every_room_of_the_life_of_a_request_is_there():
    rooms = {
        room
        for _, names, _ in table("The life of a request")
        for room in re.findall(r"`([a-z0-9_.]+)`", names)
    }
    assert rooms
    for room in rooms:
        path = HOUSE / room.replace(".", "/")
        assert path.is_dir() or path.with_suffix(".py").exists(), room


def commands():
    """Every command line that may follow ``gatekeep``, with its options."""
    for name, place in SUBCOMMANDS.items():
        module, _, attribute = place.partition(":")
        found = getattr(importlib.import_module(module), attribute)
        if not isinstance(found, typer.Typer):
            app = typer.Typer()
            app.command(name)(found)
            yield name, typer.main.get_command(app)
            continue
        group = typer.main.get_group(found)
        for command, parsed in group.commands.items():
            yield f"{name} {command}", parsed


def test_the_readme_calls_only_what_there_is():
    known = dict(commands())
    spans, lines = code_of("README.md")
    called = set()
    for text in (*spans, *lines):
        for found in re.finditer(r"(?:^|[= /])gatekeep ([a-z].*)", text):
            words = found[1].split()
            name = words[0] if words[0] in known else " ".join(words[:2])
            assert name in known, text
            options = {option for p in known[name].params for option in p.opts}
            assert {word for word in words if word.startswith("--")} <= options, text
            called.add(name)
    assert len(called) > 10


def test_documents_call_only_targets_and_modules_that_there_are():
    makefile = (ROOT / "Makefile").read_text()
    targets = set(re.findall(r"^([a-z-]+):", makefile, re.MULTILINE))
    for document in DOCUMENTS:
        spans, lines = code_of(document)
        for text in (*spans, *lines):
            if found := re.match(r"make ([a-z-]+)", text):
                assert found[1] in targets, text
            if found := re.search(r"python -m ([\w.]+)", text):
                path = ROOT / found[1].replace(".", "/")
                assert path.is_dir() or path.with_suffix(".py").exists(), text
    (phony,) = re.findall(r"^\.PHONY: ([a-z].*)", makefile, re.MULTILINE)
    assert set(phony.split()) == targets
