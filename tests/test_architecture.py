"""The arrows of docs/architecture.md, kept by reading the imports of every file."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import clairvoy

ROOT = Path(clairvoy.__file__).parent
MODULES = {
    ".".join(("clairvoy", *path.relative_to(ROOT).with_suffix("").parts)).removesuffix(".__init__"): path
    for path in sorted(ROOT.rglob("*.py"))
}
FLOORS: tuple[tuple[str, ...], ...] = (
    ("errors",),
    ("storage", "processes"),
    ("imaging", "generative", "qlearning"),
    ("searching", "environments", "painting"),
    ("restoring", "cotraining"),
    ("evaluation",),
    ("releasing",),
    ("drawing",),
    ("scenarios",),
    ("apps",),
)
"""From the ground up. A room imports from its own and from the floors below; rooms of one floor never import each other."""
WINGS = FLOORS[2]
FLOOR_OF = {room: floor for floor, rooms in enumerate(FLOORS) for room in rooms}
ROOT_FILES = {"__init__", "__main__", "_version", "errors"}
MAX_LINES = 400


def imports(path: Path, module: str, *, of_types: bool = False) -> set[str]:
    """Return every module that a file names in an import, wherever it stands.

    Imports that only a type checker sees (``if TYPE_CHECKING:``) never run, and count only with `of_types`.
    """
    package = module if path.name == "__init__.py" else module.rpartition(".")[0]
    return set(_imports(ast.parse(path.read_text()), package, of_types))


def _imports(node: ast.AST, package: str, of_types: bool) -> Iterator[str]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.dump(child.test) and not of_types:
            for other in child.orelse:
                yield from _imports(ast.Module([other], []), package, of_types)
        elif isinstance(child, ast.Import):
            yield from (alias.name for alias in child.names)
        elif isinstance(child, ast.ImportFrom):
            parents = package.split(".")[: len(package.split(".")) + 1 - child.level] if child.level else []
            origin = ".".join([*parents, *([child.module] if child.module else [])])
            # `from package import name`: the name may be a module, or something that a module holds.
            yield origin
            yield from (f"{origin}.{alias.name}" for alias in child.names)
        else:
            yield from _imports(child, package, of_types)


def within(name: str, *parts: str) -> bool:
    """Tell whether a module is one of these parts of clairvoy, or inside one."""
    return any(f"{name}.".startswith(f"clairvoy.{part}.") for part in parts)


def reached(module: str) -> set[str]:
    """Return everything that importing a module brings in, one import leading to the next."""
    seen: set[str] = set()
    waiting = [module]
    while waiting:
        name = waiting.pop()
        if name in seen:
            continue
        seen.add(name)
        if name in MODULES:
            waiting += imports(MODULES[name], name)
            waiting += [name.rpartition(".")[0]] if "." in name else []
    return seen


def forbidden(room: str) -> tuple[str, ...]:
    """Return the rooms that a room must not import: its neighbours and all above."""
    return tuple(other for other, floor in FLOOR_OF.items() if other != room and floor >= FLOOR_OF[room])


def drawing_of_the_floors() -> str:
    """Return the floors as they are drawn in docs/architecture.md, the top one first."""
    width = max(len("  ".join(rooms)) for rooms in FLOORS)
    rows = [f"floor {number}   {'  '.join(rooms):<{width}}" for number, rooms in enumerate(FLOORS)]
    return "\n".join(row.rstrip() for row in reversed(rows))


def test_every_file_stands_on_a_floor():
    beside = {path.stem for path in ROOT.glob("*.py")} | {
        path.name for path in ROOT.iterdir() if path.is_dir() and any(path.rglob("*.py"))
    }
    nowhere = beside - set(FLOOR_OF) - ROOT_FILES - {"weights"}
    assert not nowhere, f"{sorted(nowhere)} stand on no floor; put them into a room, or a new room on a floor"


def test_the_drawing_shows_the_floors():
    drawn = drawing_of_the_floors()
    assert drawn in (ROOT.parents[1] / "docs/architecture.md").read_text("utf-8"), f"draw in docs:\n{drawn}"


@pytest.mark.parametrize("module", MODULES)
def test_imports_run_downwards(module):
    room = module.split(".")[1] if "." in module else ""
    if room not in FLOOR_OF:
        return  # the face of the package may show all of it
    of_types = room in WINGS
    wrong = {
        name for name in imports(MODULES[module], module, of_types=of_types) if within(name, *forbidden(room))
    }
    assert not wrong, f"{module} must not import {sorted(wrong)}; see docs/architecture.md"


def test_no_files_import_each_other_in_a_circle():
    """Nor for their types: what two files need of each other belongs into a third."""
    files = {module: path for module, path in MODULES.items() if path.name != "__init__.py"}
    taken = {module: imports(path, module, of_types=True) & files.keys() for module, path in files.items()}
    TopologicalSorter(taken).prepare()  # raises CycleError, which names the files


TRAINING = ("cotraining", "environments", "scenarios", "imaging.synthesis")


def test_a_broken_training_import_cannot_break_clear():
    modules = (
        reached("clairvoy.restoring.dehazer")
        | reached("clairvoy.apps.cli")
        | reached("clairvoy.apps.clear.command")
    )
    assert "clairvoy.restoring.dehazer" in MODULES
    assert not {
        name
        for name in modules
        if within(name, "cotraining", "environments", "scenarios", "imaging.synthesis")
        or name.startswith("gymnasium")
    }


IN_TORCH = (
    "searching.network",
    "imaging.haze",
    "imaging.synthesis",
    "evaluation.drawn_pictures",
    "evaluation.ablation",
)


@pytest.mark.parametrize(
    "module",
    [
        m
        for m in MODULES
        if within(m, "restoring", "searching", "imaging", "evaluation", "apps.clear", "apps.search")
    ],
)
def test_what_people_use_imports_no_torch(module):
    """The way from each of these files leads to no torch; what trains stands beside them, in files of its own."""
    if not within(module, *IN_TORCH):
        found = {name for name in reached(module) if name.partition(".")[0] == "torch"}
        assert not found, f"{module} reaches {sorted(found)}"


def test_cotrain_gets_its_parts_handed_in():
    assert "clairvoy.cotraining.loop" in MODULES
    assert not {
        name for name in reached("clairvoy.cotraining.loop") if within(name, "scenarios", "imaging", "apps")
    }


HAZE_ONLY = (
    "generative.density",
    "generative.perceptual",
    "searching",
    "restoring",
    "releasing",
    "scenarios.haze",
)


@pytest.mark.parametrize("module", ["apps.train.world", "scenarios.own.scenario"])
def test_worlds_and_own_scenarios_need_nothing_of_haze(module):
    assert f"clairvoy.{module}" in MODULES
    assert not {name for name in reached(f"clairvoy.{module}") if within(name, *HAZE_ONLY)}


@pytest.mark.slow
def test_cartpole_loads_no_squeezenet_and_no_density_vae():
    program = "import sys, clairvoy.apps.train.world; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    ).stdout
    assert "clairvoy.generative.transitions.vae" in loaded.split()
    assert not {name for name in loaded.split() if within(name, *HAZE_ONLY)}


def test_qlearning_needs_no_pictures():
    pictures = {
        name for name in reached("clairvoy.qlearning") if name.split(".")[0] in ("cv2", "PIL", "tifffile")
    }
    assert not pictures


@pytest.mark.parametrize("module", [name for name in MODULES if not within(name, "apps")])
def test_nothing_below_apps_prints(module):
    for node in ast.walk(ast.parse(MODULES[module].read_text())):
        called = isinstance(node, ast.Call) and ast.unparse(node.func)
        assert called not in ("print", "sys.stdout.write", "sys.stderr.write"), (
            f"{module}:{node.lineno} prints"
        )


@pytest.mark.parametrize("module", MODULES)
def test_a_file_has_one_idea(module):
    assert module.rpartition(".")[2] not in ("utils", "util", "common", "helpers", "helper", "base", "misc")
    assert len(MODULES[module].read_text().splitlines()) <= MAX_LINES


def test_the_reader_of_imports_reads_every_kind(tmp_path):
    file = tmp_path / "sample.py"
    file.write_text(
        "import a.b as c\n"
        "from typing import TYPE_CHECKING\n"
        "if TYPE_CHECKING:\n    import only.types\n"
        "def late():\n    from clairvoy.imaging import haze\n"
        "from . import sibling\n"
        "from ..apps import cli\n"
    )
    found = imports(file, "clairvoy.qlearning.sample")
    assert {"a.b", "clairvoy.imaging.haze", "clairvoy.qlearning.sibling", "clairvoy.apps.cli"} <= found
    assert "only.types" not in found
    assert "only.types" in imports(file, "clairvoy.qlearning.sample", of_types=True)


def test_no_two_files_of_tests_share_a_name():
    """Test files are imported by their bare names: of two that share one, pytest would find but one."""
    names = Counter(
        path.name
        for path in Path(__file__).parent.rglob("*.py")
        if path.name not in ("conftest.py", "__init__.py")
    )
    assert [name for name, count in names.items() if count > 1] == []
