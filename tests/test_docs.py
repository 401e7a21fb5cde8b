"""The documents are true to the tree: links lead somewhere, named files exist, commands parse."""

from __future__ import annotations

import re
import shlex
from importlib import import_module
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


def test_the_map_names_files_that_exist():
    text = (ROOT / "docs/architecture.md").read_text()
    named = set(
        re.findall(r"`((?:imaging|generative|qlearning|apps|scenarios|evaluation)/\w*\S*?|\w+\.py)`", text)
    )
    named = {name for name in named if not name.startswith("test_")}
    assert len(named) > 20
    assert not {name for name in named if not (SOURCE / name).exists()}


def test_every_command_in_the_readme_parses(monkeypatch):
    text = (ROOT / "README.md").read_text()
    lines = [line.split("#")[0] for line in re.findall(r"(?:^|\| )(clairvoy [^|\n]*)", text, re.MULTILINE)]
    commands = [shlex.split(line)[1:] for line in lines if line.split()[1] in COMMANDS]
    assert len(commands) >= 6
    for arguments in commands:
        module = import_module(f"clairvoy.apps.{arguments[0]}")
        # What `run` does is not the point: a command that cannot be parsed exits before it.
        monkeypatch.setattr(module, "run", lambda args: 7)
        if "--help" not in arguments:
            assert main(arguments) == 7
