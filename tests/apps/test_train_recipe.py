"""Recipes: what counts of command line, recipe and defaults, and what is refused."""

import argparse
from pathlib import Path

import pytest

from clairvoy.apps.train import haze as train
from clairvoy.apps.train.recipe import DEFAULTS, KINDS, follow
from clairvoy.errors import SettingsError
from clairvoy.restoring.released import WEIGHTS_FOLDER


def parsed(*words):
    """The options of ``clairvoy train haze`` as the command line leaves them, completed by `follow`."""
    parser = argparse.ArgumentParser()
    train.add_arguments(parser)
    args = parser.parse_args(["--clear", "photographs", "--out", "run", *map(str, words)])
    follow(args)
    return args


@pytest.fixture
def recipe(tmp_path):
    def write(text):
        path = tmp_path / "mine.toml"
        path.write_text(text, "utf-8")
        return path

    return write


def test_what_neither_says_is_the_default():
    args = parsed()
    assert {name: getattr(args, name) for name in DEFAULTS} == DEFAULTS | {"rooms": 0.25, "outdoors": 0.2}


def test_a_recipe_is_followed(recipe):
    args = parsed(
        "--recipe",
        recipe(
            "updates = 7\nbatch = 3\nlearning_rate = 1e-2\nrooms = 1\noutdoors = 0.0\nbf16 = true\nseed = 31\n"
            "leave_out = ['a', 'b']\nstart = 'fast'\ndepth_model = 'none'\n"
        ),
    )
    assert (args.updates, args.batch, args.learning_rate, args.seed) == (7, 3, 1e-2, 31)
    assert (args.rooms, args.outdoors, args.bf16) == (1, 0.0, True)
    assert (args.leave_out, args.start, args.depth_model) == (["a", "b"], "fast", "none")


def test_the_command_line_beats_the_recipe_and_the_recipe_the_default(recipe):
    path = recipe("updates = 7\nseed = 31\nrooms = 0.5\nbf16 = true\nleave_out = ['a']")
    args = parsed("--recipe", path, "--seed", 5, "--leave-out", "x", "y")
    assert (args.updates, args.seed, args.rooms, args.leave_out) == (7, 5, 0.5, ["x", "y"])
    assert args.outdoors == 0.2


@pytest.mark.parametrize(
    ("option", "name", "value"),
    [("--rooms", "rooms", 0.0), ("--seed", "seed", 0), ("--updates", "updates", 0)],
)
def test_nought_on_the_command_line_is_no_silence(recipe, option, name, value):
    path = recipe("rooms = 0.5\nseed = 31\nupdates = 9")
    assert getattr(parsed("--recipe", path, option, value), name) == value
    assert getattr(parsed(option, value), name) == value


def test_what_a_recipe_switches_on_can_be_switched_off(recipe):
    path = recipe("bf16 = true")
    assert parsed("--recipe", path).bf16 is True
    assert parsed("--recipe", path, "--no-bf16").bf16 is False
    assert parsed("--bf16").bf16 is True


def test_with_depth_files_nothing_is_rendered_unless_asked_for(recipe):
    args = parsed("--depth", "depths")
    assert (args.rooms, args.outdoors) == (0.0, 0.0)
    args = parsed("--depth", "depths", "--rooms", 0.5)
    assert (args.rooms, args.outdoors) == (0.5, 0.0)


def test_an_option_that_is_not_known_is_refused(recipe):
    with pytest.raises(
        SettingsError, match="rate, update is no option of a recipe; known are updates, batch"
    ):
        parsed("--recipe", recipe("update = 3\nrate = 1e-3"))


@pytest.mark.parametrize(
    "line",
    [
        "updates = 'many'", "updates = 2.5", "updates = true", "rooms = '0.5'", "rooms = true", "bf16 = 1",
        "leave_out = 'one'", "leave_out = [1, 2]", "start = 3", "seed = 1.0", "batch = [4]",
        "learning_rate = false", "depth_model = false", "outdoors = [0.1]",
    ],
)  # fmt: skip
def test_a_value_of_another_kind_is_refused_by_name(recipe, line):
    name = line.split(" ")[0]
    with pytest.raises(SettingsError, match=rf"mine.toml: {name} is .*; it must be {KINDS[name][0]}"):
        parsed("--recipe", recipe(line))


def test_what_is_no_recipe_is_refused_by_name(recipe, tmp_path):
    for path in (tmp_path / "nowhere.toml", recipe("updates = "), tmp_path):
        with pytest.raises(
            SettingsError, match=rf"--recipe {path}: cannot be read .*name 'fast' or a TOML file"
        ):
            parsed("--recipe", path)
    (tmp_path / "bytes.toml").write_bytes(b"start = '\xff'")
    with pytest.raises(SettingsError, match="cannot be read"):
        parsed("--recipe", tmp_path / "bytes.toml")


def test_every_option_of_a_recipe_has_a_kind_and_is_one_of_the_command():
    assert set(KINDS) == set(DEFAULTS)
    assert set(DEFAULTS) <= set(vars(parsed()))


def test_released_recipes_can_be_followed():
    names = [path.stem for path in Path(WEIGHTS_FOLDER).glob("*.toml")]
    assert "fast" in names
    for name in names:
        args = parsed("--recipe", name)
        assert args.updates > 0
        assert 0 <= args.rooms + args.outdoors <= 1
