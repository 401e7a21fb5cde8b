"""`clairvoy watch` on a world: curves, and the dream beside the game."""

import json
import re

import cv2
import numpy as np
import pytest

from clairvoy.apps.cli import main
from clairvoy.apps.watch import command as watch
from clairvoy.apps.watch.dream import dream_lines
from clairvoy.drawing.terminal_plot import plot

STEPS = {
    "rewards": {"game": [0, 0, 1, 0], "dream": [0, 0.9]},
    "ended": {"game": False, "dream": True},
    "tau": [0.9, 0.4],
}


@pytest.fixture
def run(tmp_path):
    folder = tmp_path / "run"
    (folder / "pictures").mkdir(parents=True)
    (folder / "settings.json").write_text(json.dumps({"updates": 100, "steps": 800}))
    with (folder / "metrics.jsonl").open("w") as file:
        for update in range(20, 81, 20):
            metrics = {
                "agent/steps": update * 8 - 76, "evaluation/return": update / 10, "generator/loss": 1 / update,
                "tau/gap": 0.5, "tau/off": 0.25, "generated/admitted": update / 100, "agent/loss": 3.0,
            }  # fmt: skip
            file.write(json.dumps({"update": update, "seconds": update * 1.0, "metrics": metrics}) + "\n")
    return folder


def numbers(folder, count=5):
    game = [[10.0 * k + step for step in range(5)] for k in range(count)]
    dream = [[10.0 * k - step for step in range(3)] for k in range(count)]
    told = {"begin": 7, "game": game, "dream": dream} | STEPS
    (folder / "pictures" / "dream.json").write_text(json.dumps(told))
    cv2.imwrite(str(folder / "pictures" / "dream.png"), np.zeros((8, 8, 3), np.uint8))


def frames(folder, cells=(4, 4), side=12):
    """Five frames of the game, red growing brighter; three of the dream, green."""
    picture = np.full((2 * side, 5 * side, 3), 9, np.uint8)
    places = {"game": [], "dream": []}
    for row, (name, count, channel) in enumerate((("game", 5, 2), ("dream", 3, 1))):
        for column in range(count):
            left, top = column * side, row * side
            picture[top : top + side, left : left + side] = 0
            picture[top : top + side, left : left + side, channel] = 50 * (column + 1)
            places[name].append([left, top])
    told = {"begin": 0, "frames": {"side": side, "cells": list(cells), **places}} | STEPS
    (folder / "pictures" / "dream.json").write_text(json.dumps(told))
    cv2.imwrite(str(folder / "pictures" / "dream.png"), picture)


def cells_of(line):
    """Upper and lower colours of a line of half blocks."""
    found = re.findall(r"38;2;(\d+);(\d+);(\d+);48;2;(\d+);(\d+);(\d+)m\u2580", line)
    return [(tuple(map(int, cell[:3])), tuple(map(int, cell[3:]))) for cell in found]


def test_curves_of_a_world_and_of_its_dream(run, capsys):
    numbers(run)
    assert main(["watch", str(run), "--width", "90"]) == 0
    shown = capsys.readouterr().out
    lines = shown.splitlines()
    assert lines[1] == "update 80 of 100, 640 steps  80 s, 20 s to go"
    for title, value in (
        ("return, greedy", "8  (2 to 8)"),
        ("generator loss", "0.0125  (0.0125 to 0.05)"),
        ("generated: gap", "0.5  (0.5 to 0.5)"),
        ("tau: off by", "0.25"),
        ("generated: admitted", "0.8  (0.2 to 0.8)"),
    ):
        assert re.search(rf"{title} +{re.escape(value)}", shown), title
    assert "dream from step 7: game 4 steps, dream 2 steps to its end; tau 0.90 to 0.40" in lines
    assert re.search(r"game 3 +34  \(30 to 34\) +dream 3 +28  \(28 to 30\)", shown)
    assert "dream 4" not in shown  # four numbers
    assert lines[-1] == f"picture: {run / 'pictures' / 'dream.png'}"
    assert max(map(len, lines[:-1])) <= 90


def test_game_and_dream_are_drawn_in_one_scale(run):
    numbers(run, 1)
    lines = dream_lines(run / "pictures", 83, braille=False, colours=0)
    curves = lines[3:6]
    # From -2 to 4: both begin at 0, in the middle line; the game rises, the dream falls and stops half way across.
    left, right = [line[:40] for line in curves], [line[43:] for line in curves]
    assert left == plot(range(7, 12), [0, 1, 2, 3, 4], 40, 3, braille=False, up=(-2, 4))
    assert right == plot(range(7, 10), [0, -1, -2], 40, 3, braille=False, across=(7, 11), up=(-2, 4))
    assert (left[1][0], right[1][0]) == ("*", "*")
    assert (left[0][39], left[2].strip()) == ("*", "")
    assert (right[0].strip(), right[2][20]) == ("", "*")
    assert max(line.rfind("*") for line in right) == 20


def test_a_plot_of_a_part_of_what_it_stands_for():
    assert plot([0, 1], [5, 5], 5, 3, braille=False, across=(0, 4), up=(5, 7)) == ["     ", "     ", "**   "]
    assert plot([3, 4], [7, 7], 5, 3, braille=False, across=(0, 4), up=(5, 7)) == ["   **", "     ", "     "]


def test_frames_are_blocks_where_there_are_colours(run, capsys, monkeypatch):
    frames(run)
    monkeypatch.setattr(watch, "colours_of", lambda stream: 1 << 24)
    assert main(["watch", str(run), "--width", "80"]) == 0
    lines = capsys.readouterr().out.splitlines()
    where = lines.index("game above, dream below:")
    drawn = [cells_of(line) for line in lines[where + 1 : -1]]
    assert len(drawn) == 5  # two lines for each row of four cells, one between
    assert {len(line) for line in drawn} == {5 * 5}
    dark = (48, 51, 57)
    for column in range(5):
        game, between = (50 * (column + 1), 0, 0), drawn[0][5 * column + 4]
        assert (
            drawn[0][5 * column : 5 * column + 4]
            == drawn[1][5 * column : 5 * column + 4]
            == [(game, game)] * 4
        )
        assert between == (dark, dark)
        dream = (0, 50 * (column + 1), 0) if column < 3 else dark
        assert drawn[4][5 * column : 5 * column + 4] == [(dream, dream)] * 4
    assert drawn[2] == [(dark, dark)] * 25
    assert lines[-1] == f"picture: {run / 'pictures' / 'dream.png'}"


def test_only_as_many_frames_as_there_is_room_for(run):
    frames(run, cells=(42, 42))
    for width, count in ((106, 5), (105, 4), (40, 1), (20, 1)):
        lines = dream_lines(run / "pictures", width, braille=True, colours=1 << 24)
        assert {len(cells_of(line)) for line in lines[2:-1]} == {21 * count}
        assert len(lines[2:-1]) == 21
    # An odd number of cells does not run into the row below.
    frames(run, cells=(3, 3))
    lines = [
        cells_of(line) for line in dream_lines(run / "pictures", 80, braille=True, colours=1 << 24)[2:-1]
    ]
    assert [line[0] for line in lines] == [
        ((50, 0, 0), (50, 0, 0)), ((50, 0, 0), (48, 51, 57)), ((48, 51, 57), (48, 51, 57)),
        ((0, 50, 0), (0, 50, 0)), ((0, 50, 0), (48, 51, 57)),
    ]  # fmt: skip


def test_frames_without_colours_are_named_only(run, capsys):
    frames(run)
    assert main(["watch", str(run), "--width", "80"]) == 0
    shown = capsys.readouterr().out
    assert "\x1b" not in shown
    said = "dream from step 0: game 4 steps, dream 2 steps to its end; tau 0.90 to 0.40"
    assert shown.splitlines()[-3:] == [said, "", f"picture: {run / 'pictures' / 'dream.png'}"]


@pytest.mark.parametrize("text", ["", "[1]", "{}", '{"frames": {}}', '{"game": [[1]], "dream": [[1], [2]]}'])
def test_what_cannot_be_read_leaves_the_picture(run, text):
    numbers(run)
    (run / "pictures" / "dream.json").write_text(text)
    want = [f"picture: {run / 'pictures' / 'dream.png'}"]
    assert dream_lines(run / "pictures", 80, braille=True, colours=256) == want


def test_a_picture_of_another_moment_than_its_numbers(run):
    frames(run)
    cv2.imwrite(str(run / "pictures" / "dream.png"), np.zeros((5, 20, 3), np.uint8))
    want = [f"picture: {run / 'pictures' / 'dream.png'}"]
    assert dream_lines(run / "pictures", 80, braille=True, colours=256) == want


def test_before_the_first_dream_there_is_none(run, capsys):
    assert main(["watch", str(run), "--width", "80"]) == 0
    shown = capsys.readouterr().out
    assert "dream " not in shown
    assert "dream.png" not in shown


def test_on_a_small_screen_the_last_curves_give_way_to_the_dream(run):
    numbers(run, 1)
    lines = watch.read_metrics(run)
    settings = {"updates": 100, "steps": 800}
    whole = watch.render(run, settings, lines, 80)
    fitted = watch.render(run, settings, lines, 80, 22)
    assert len(whole) > 22 >= len(fitted)
    assert fitted[-1] == whole[-1]
    assert any("return, greedy" in line for line in fitted)
    assert not any("generated: gap" in line for line in fitted)
    # One pair of curves stays in any case.
    assert any("return, greedy" in line for line in watch.render(run, settings, lines, 80, 5))
