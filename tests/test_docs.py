"""The documents are true to the tree: links lead somewhere, named files exist, commands parse."""

from __future__ import annotations

import ast
import re
import shlex
import subprocess
import sys
import tomllib
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import pytest

import clairvoy
from clairvoy.apps.cli import COMMANDS, main

ROOT = Path(__file__).parent.parent
SOURCE = Path(clairvoy.__file__).parent
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_link_leads_to_a_file(document):
    links = re.findall(r"\]\(([^)#\s]+)[^)]*\)", document.read_text())
    missing = [link for link in links if "://" not in link and not (document.parent / link).exists()]
    assert not missing


def anchors_of(document):
    """What the headings of a document are called in links: in small letters, with lines between the words."""
    text = re.sub(r"^```.*?^```", "", document.read_text(), flags=re.MULTILINE | re.DOTALL)
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_link_into_a_page_leads_to_a_heading(document):
    links = re.findall(r"\]\(([^)#\s:]*)#([^)\s]+)\)", document.read_text())
    missing = [
        f"{page}#{anchor}"
        for page, anchor in links
        if anchor not in anchors_of(document.parent / page if page else document)
    ]
    assert not missing


def test_the_site_has_every_page():
    pages = tomllib.loads((ROOT / "zensical.toml").read_text())["project"]["nav"]
    named = re.findall(r"[\w-]+\.md", str(pages))
    assert sorted(named) == sorted(path.name for path in (ROOT / "docs").glob("*.md"))
    # A page may be read where there is no tree around it.
    outside = [path.name for path in (ROOT / "docs").glob("*.md") if "](../" in path.read_text()]
    assert not outside


def test_what_is_cited_is_the_version():
    assert f"\nversion: {clairvoy.__version__}\n" in (ROOT / "CITATION.cff").read_text()


def test_the_map_names_files_that_exist():
    text = (ROOT / "docs/architecture.md").read_text()
    rooms = "|".join(path.name for path in SOURCE.iterdir() if path.is_dir())
    named = set(re.findall(rf"`((?:{rooms})/\w*\S*?|\w+\.py)`", text))
    named = {name for name in named if not name.startswith("test_")}
    assert len(named) > 60
    assert not {name for name in named if not (SOURCE / name).exists()}


def test_the_method_names_files_that_exist():
    """A test may be named without its folder, and several by braces."""
    text = (ROOT / "docs/method.md").read_text()
    named = set(re.findall(r"`([\w/{},]+\.py)`", text))
    for name in [name for name in named if "{" in name]:
        before, choices, after = re.split("[{}]", name)
        named = (named - {name}) | {f"{before}{choice}{after}" for choice in choices.split(",")}
    tests = {path.name for path in (ROOT / "tests").rglob("test_*.py")}
    assert len(named) > 50
    assert not {
        name for name in named if not ((ROOT / name).exists() or (SOURCE / name).exists() or name in tests)
    }


def defined_in(tree):
    """Classes and functions of a file, and all names that can be asked of it."""
    made, known = set(), set()
    for node in tree.body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef):
            made.add(node.name)
        elif isinstance(node, ast.ImportFrom):
            known |= {alias.asname or alias.name for alias in node.names}
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            known |= {name.id for name in ast.walk(node) if isinstance(name, ast.Name)}
    return made, known | made


def lost_names(text, modules, variables=()):
    """What is written as `module.name` and can be found in no module of that name, though another defines the name."""
    defined = set().union(*(made for made, _ in modules.values()))
    for dotted, name in re.findall(r"`((?:[a-z_0-9]+\.)+)([A-Za-z_]+)(?=[`.(])", text):
        module = dotted.split(".")[-2]
        if name in defined and module not in variables and name not in modules.get(module, ((), ()))[1]:
            yield f"{dotted}{name}"


def test_names_of_other_modules_can_be_found_there():
    """A class that moves takes what is said of it along."""
    modules, trees = {}, {}
    for path in sorted(SOURCE.rglob("*.py")):
        trees[path] = tree = ast.parse(path.read_text("utf-8"))
        module = path.parent.name if path.stem == "__init__" else path.stem
        before = modules.get(module, (set(), set()))
        modules[module] = tuple(old | new for old, new in zip(before, defined_in(tree), strict=True))
    modules["clairvoy"][1].update(clairvoy.__all__)
    lost = {}
    for path, tree in trees.items():
        variables = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)} - modules.keys()
        lost[path.name] = list(lost_names(path.read_text("utf-8"), modules, variables))
    for document in DOCUMENTS:
        lost[document.name] = list(lost_names(document.read_text("utf-8"), modules))
    assert not {name: found for name, found in lost.items() if found}
    assert list(lost_names("see `checkpoint.load_weights`", modules)) == ["checkpoint.load_weights"]
    assert not list(lost_names("see `parts.load_weights` and `torch.save`", modules))


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_command_in_a_document_parses(document, monkeypatch):
    for arguments in commands_in(document.read_text()):
        module = import_module(f"clairvoy.apps.{arguments[0]}")
        # What `run` does is not the point: a command that cannot be parsed exits before it.
        monkeypatch.setattr(module, "run", lambda args: 7)
        assert main(arguments) == 7, arguments


def commands_in(text):
    """The arguments of `clairvoy` in the lines of blocks of code, also behind a pipe; without their remarks."""
    fenced = re.findall(r"^```(\w*)\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    blocks = "\n".join(block for language, block in fenced if not language)
    lines = re.findall(r"(?:^|\| )clairvoy ([^|\n#]*)", blocks, re.MULTILINE)
    return [arguments for line in lines if (arguments := shlex.split(line))[0] in COMMANDS]


def test_the_documents_hold_commands():
    counts = {name: len(commands_in((ROOT / name).read_text())) for name in ("README.md", "docs/guide.md")}
    assert counts["README.md"] >= 3
    assert counts["docs/guide.md"] >= 20


SUPPOSED = {
    "docs/guide.md": "photo: Any = None",
    "docs/qlearning.md": "history: Any = None\nfrom clairvoy.qlearning.qnetwork import QNetwork, VectorEncoder",
}
"""What the text around a document's code takes for granted."""


def code_in(document):
    return re.findall(r"```python\n(.*?)```", document.read_text(), re.DOTALL)


@pytest.mark.slow
@pytest.mark.skipif(find_spec("mypy") is None, reason="mypy is not installed: clairvoy[lint]")
def test_code_in_the_documents_types(tmp_path):
    """With the settings and the cache of `make lint`, which is as much the faster for it."""
    written = {}
    for document in DOCUMENTS:
        name = str(document.relative_to(ROOT))
        for number, code in enumerate(code_in(document)):
            file = tmp_path / f"block_{len(written)}.py"
            supposed = f"# mypy: allow-untyped-defs\nfrom typing import Any\n{SUPPOSED.get(name, '')}\n"
            file.write_text(supposed + code)
            written[file.name] = f"{name}, block {number + 1}"
    assert len(written) >= 7
    # One that must not pass: without it a mypy that looked at nothing would do.
    (tmp_path / "wrong.py").write_text(
        "from clairvoy.scenarios.own.scene_environment import Rules\n"
        "Rules('two', lambda scene, rng: {}, lambda scene, state: {}, lambda scene, state, action: (state, action))\n"
    )
    command = [
        sys.executable,
        "-m",
        "mypy",
        "--config-file",
        "pyproject.toml",
        *map(str, tmp_path.glob("*.py")),
    ]
    told = subprocess.run(command, cwd=ROOT, capture_output=True, text=True).stdout
    errors = [line for line in told.splitlines() if ": error:" in line]
    wrong = [line for line in errors if "wrong.py" in line]
    assert any('expected "int"' in line for line in wrong), told
    assert any("tuple[dict[str, Tensor], Tensor, Tensor]" in line for line in wrong), told
    rest = [f"{written.get(Path(line.split(':')[0]).name)}: {line}" for line in errors if line not in wrong]
    assert not rest, "\n".join(rest)


def test_the_sketches_are_about_ten_lines_each():
    sketches = code_in(ROOT / "docs/scenarios.md")[:3]
    for sketch in sketches:
        lines = [line for line in sketch.splitlines() if line and not line.startswith(("import ", "from "))]
        assert 8 <= len(lines) <= 11
