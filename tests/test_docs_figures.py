"""Figures of settings in the documents and docstrings are those of the settings."""

import re
from pathlib import Path

import pytest

from clairvoy.scenarios.search_agent.training import SearchTrainingSettings
from clairvoy.searching.network import SearchQNetwork

DOCS = Path(__file__).parents[1] / "docs"
TRAINING = SearchTrainingSettings()
RESTRAINT = TRAINING.search
MILLIONS = round(sum(p.numel() for p in SearchQNetwork().parameters()) / 1e6, 2)

FIGURES = {
    "docs/search.md, restraint": (
        r"less ([\d.]+) for a false alarm, ([\d.]+) for a step, ([\d.]+) for the wall",
        (RESTRAINT.false_alarm, RESTRAINT.step, RESTRAINT.wall),
    ),
    "docs/search.md, scenes": (
        r"makes (\d+) scenes .* on grids of (\d+), (\d+) and (\d+) windows",
        (sum(grid.scenes for grid in TRAINING.grids), *sorted({grid.side for grid in TRAINING.grids})),
    ),
    "docs/search.md, budgets": (
        r"with budgets from (\d+) to (\d+) %",
        tuple(100 * part for part in RESTRAINT.reads),
    ),
    "docs/search.md, led": (
        r"In the first (\d+) % of the steps a part of the episodes \((\d+) % falling to 0\)",
        tuple(100 * part for part in reversed(TRAINING.led)),
    ),
    "docs/search.md, network": (r"`searching/network.py`, ([\d.]+) M parameters", (MILLIONS,)),
    "docs/method.md, restraint": (
        r"the released agent is trained with ([\d.]+), ([\d.]+), ([\d.]+), ([\d.]+) ",
        (RESTRAINT.step, RESTRAINT.false_alarm, RESTRAINT.wall, RESTRAINT.repeat),
    ),
}


@pytest.mark.parametrize("what", FIGURES)
def test_a_document_says_what_the_settings_are(what):
    pattern, figures = FIGURES[what]
    text = " ".join((DOCS.parent / what.partition(",")[0]).read_text("utf-8").split())
    (said,) = re.findall(pattern, text)
    said = (said,) if isinstance(said, str) else said
    assert [float(figure) for figure in said] == pytest.approx(figures)


def test_the_docstring_of_the_network_says_its_size():
    assert f"{MILLIONS} M parameters" in SearchQNetwork.__doc__
