"""`clairvoy train haze` as a user calls it, very short."""

import hashlib
import json
import shutil
from argparse import Namespace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from tensorboard.backend.event_processing import event_accumulator

from clairvoy.apps.cli import main
from clairvoy.apps.train import haze as train
from clairvoy.generative.density.backbone import Backbone
from clairvoy.imaging.files import Picture, write
from clairvoy.releasing.parts import Parts, load_weights
from clairvoy.releasing.save import save_weights

SHORT = ["--updates", "2", "--batch", "4", "--device", "cpu", "--trial", "--quiet"]


@pytest.fixture(scope="module")
def photographs(tmp_path_factory):
    folder, rng = tmp_path_factory.mktemp("photographs"), np.random.default_rng(0)
    for index in range(3):
        pixels = rng.integers(0, 256, (6, 8, 3), dtype=np.uint8).repeat(16, axis=0).repeat(16, axis=1)
        write(folder / f"{index}.png", pixels, Picture(pixels))
    return folder


@pytest.fixture(scope="module")
def some_weights(tmp_path_factory):
    """Weights as a training writes them, of which only that they are told from others matters."""
    path = tmp_path_factory.mktemp("weights") / "some.safetensors"
    with torch.random.fork_rng():
        torch.manual_seed(77)
        save_weights(path, Parts.new(), graphs=False)
    return path


def call(photographs, out, *more):
    return main(["train", "haze", "--clear", str(photographs), "--out", str(out), *SHORT, *more])


def tensors(path):
    return [
        value for module in load_weights(path).modules().values() for value in module.state_dict().values()
    ]


@pytest.mark.slow
def test_it_trains_stops_and_resumes_to_the_same_weights(photographs, tmp_path, capsys, monkeypatch):
    whole, parted = tmp_path / "whole", tmp_path / "parted"
    assert call(photographs, whole) == 0
    assert "weights.safetensors" in capsys.readouterr().err
    assert {path.name for path in whole.iterdir()} == {
        "checkpoint.pt", "weights.safetensors", "settings.json", "data.json", "metrics.jsonl", "pictures", "tensorboard",
    }  # fmt: skip
    assert [json.loads(line)["update"] for line in (whole / "metrics.jsonl").read_text().splitlines()] == [2]

    def interrupt(self, update, metrics):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(train.RunLog, "__call__", interrupt)
        assert call(photographs, parted) == 130
    assert "1 of 2 updates" in capsys.readouterr().err
    assert not (parted / "weights.safetensors").exists()
    assert call(photographs, parted, "--resume", "--seed", "9") == 2
    assert "--seed 0, not 9" in capsys.readouterr().err
    assert call(photographs, parted, "--resume") == 0
    for one, other in zip(
        tensors(whole / "weights.safetensors"), tensors(parted / "weights.safetensors"), strict=True
    ):
        assert torch.equal(one, other)


def test_a_run_is_not_written_over(photographs, tmp_path, capsys):
    (tmp_path / "checkpoint.pt").write_bytes(b"a run")
    assert call(photographs, tmp_path) == 2
    assert "--resume" in capsys.readouterr().err
    assert (tmp_path / "checkpoint.pt").read_bytes() == b"a run"


def test_refusals(photographs, tmp_path, capsys):
    one = tmp_path / "one"
    one.mkdir()
    shutil.copy(photographs / "0.png", one)
    cases = [
        ((tmp_path / "nowhere", tmp_path / "out"), (), "nowhere"),
        ((one, tmp_path / "out"), (), "at least 2"),
        ((photographs, tmp_path / "out"), ("--updates", "0"), "--updates"),
        ((photographs, tmp_path / "out"), ("--depth", str(tmp_path / "no")), "depth"),
        ((photographs, one / "0.png" / "out"), (), "cannot be written"),
        ((photographs, tmp_path / "out"), ("--rooms", "1.5"), "--rooms"),
        ((photographs, tmp_path / "out"), ("--rooms", "0.6", "--outdoors", "0.6"), "together at most 1"),
        ((photographs, tmp_path / "out"), ("--outdoors", "-0.1"), "--outdoors"),
        ((photographs, tmp_path / "out"), ("--leave-out", "0", "1"), "photographs to learn from: 1"),
        ((photographs, tmp_path / "out"), ("--depth-model", "no.onnx"), "no.onnx: no such file"),
        (
            (photographs, tmp_path / "out"),
            ("--depth", str(one), "--depth-model", "none"),
            "leave one of them out",
        ),
        ((photographs, tmp_path / "out"), ("--recipe", "slow"), "--recipe slow"),
        ((photographs, tmp_path / "out"), ("--start", "no.safetensors"), "no.safetensors"),
        ((photographs, tmp_path / "new"), ("--resume",), "no run to resume"),
    ]
    for folders, more, told in cases:
        assert call(*folders, *more) == 2, told
        assert told in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_each_path_can_be_switched_off(photographs, tmp_path):
    without = [word for path in train.PATHS for word in ("--without", path)]
    assert call(photographs, tmp_path / "off", *without) == 0


@pytest.mark.slow
def test_pairs_of_real_haze(photographs, tmp_path):
    assert call(photographs, tmp_path / "paired", "--pairs", str(photographs), str(photographs)) == 0


def test_pairs_of_two_sizes_are_refused(photographs, tmp_path, capsys):
    name = sorted(photographs.iterdir())[0].name
    for folder, size in (("hazy", 160), ("clear", 150)):
        pixels = np.zeros((140, size, 3), np.uint8)
        (tmp_path / folder).mkdir()
        write(tmp_path / folder / name, pixels, Picture(pixels))
    pairs = str(tmp_path / "hazy"), str(tmp_path / "clear")
    assert call(photographs, tmp_path / "run", "--pairs", *pairs) == 2
    assert "160x140 and 150x140 pixels; a pair must show the same view" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


@pytest.mark.slow
def test_it_goes_on_from_given_weights(photographs, tmp_path, some_weights):
    assert call(photographs, tmp_path / "tuned", "--start", str(some_weights), "--rooms", "0.8") == 0
    before, after = tensors(some_weights), tensors(tmp_path / "tuned" / "weights.safetensors")
    moved = [float((a - b).abs().max()) for a, b in zip(before, after, strict=True)]
    # The first update of the warm-up moves weights by little: they are the given ones, not new ones.
    assert 0 < sorted(moved)[len(moved) // 2] < 1e-3


def test_no_updates_calibrate_and_leave_the_networks_as_they_are(photographs, tmp_path, capsys, some_weights):
    assert call(photographs, tmp_path / "run", "--updates", "0", "--start", str(some_weights)) == 0
    assert "calibrated" in capsys.readouterr().err
    before, after = load_weights(some_weights), load_weights(tmp_path / "run" / "weights.safetensors")
    for name in ("generator", "discriminator", "agent"):
        for one, other in zip(
            before.modules()[name].parameters(), after.modules()[name].parameters(), strict=True
        ):
            torch.testing.assert_close(other, one, atol=1e-3, rtol=1e-3)
    assert not torch.equal(before.calibration.slope, after.calibration.slope)


def test_training_from_nothing_begins_with_what_knows_pictures():
    """With ImageNet's weights in the backbone, and the seed's in all else."""
    one, same, other = (
        train._parts(Namespace(start=None, resume=False, seed=seed)).generator.state_dict()
        for seed in (0, 0, 1)
    )
    imagenet = Backbone()
    imagenet.load_imagenet()
    for name, value in imagenet.state_dict().items():
        assert torch.equal(one[f"trunk.backbone.{name}"], value)
    assert all(torch.equal(one[name], same[name]) for name in one)
    assert not torch.equal(one["posterior_head.weight"], other["posterior_head.weight"])


def test_photographs_that_are_left_out_are_no_files_of_the_run(photographs, tmp_path):
    """By name without ending, in any folder, and however the file system spells an accent."""
    mine = tmp_path / "mine"
    shutil.copytree(photographs, mine)
    (mine / "below").mkdir()
    shutil.copy(mine / "0.png", mine / "below" / "foggy.png")
    shutil.copy(mine / "0.png", mine / "alle\u0301e.png")
    options = {"clear": mine, "pairs": None, "depth": None, "depth_model": None, "start": None}
    kept = train._files(Namespace(**options, leave_out=["foggy", "all\u00e9e", "nowhere"]))["clear"]
    assert [path.name for path in kept] == ["0.png", "1.png", "2.png"]
    assert len(train._files(Namespace(**options, leave_out=None))["clear"]) == 5


def test_a_recipe_stands_in_the_record_and_must_be_the_same_to_resume(photographs, tmp_path, capsys):
    recipe = tmp_path / "mine.toml"
    recipe.write_text("seed = 4\nrooms = 0.5\nleave_out = ['2']\ndepth_model = 'none'")
    assert call(photographs, tmp_path / "run", "--recipe", str(recipe)) == 0
    said = json.loads((tmp_path / "run" / "settings.json").read_text())
    assert (said["seed"], said["rooms"], said["leave_out"], said["updates"]) == (4, 0.5, ["2"], 2)
    assert said["data"]["clear"]["files"] == 2
    recipe.write_text("seed = 4\nrooms = 0.6\nleave_out = ['2']\ndepth_model = 'none'")
    assert call(photographs, tmp_path / "run", "--recipe", str(recipe), "--resume") == 2
    assert "--rooms 0.5, not 0.6" in capsys.readouterr().err


def test_a_depth_network_of_ones_own_is_one_of_the_runs_files(photographs):
    options = {"clear": photographs, "pairs": None, "depth": None, "leave_out": None, "start": None}
    assert train._files(Namespace(**options, depth_model="mine.onnx"))["depth_model"] == [Path("mine.onnx")]
    for model in (None, "none"):
        assert "depth_model" not in train._files(Namespace(**options, depth_model=model))


@pytest.mark.slow
def test_a_run_says_how_it_is_repeated(photographs, tmp_path, capsys):
    assert call(photographs, tmp_path / "run", "--seed", "3", "--without", "gate") == 0
    said = json.loads((tmp_path / "run" / "settings.json").read_text())
    assert (said["updates"], said["seed"]) == (2, 3)
    assert said["settings"]["cotrain"]["feedback"]["gate"] is False
    assert said["settings"]["scenario"]["batch"] == 4
    assert said["versions"]["torch"] == torch.__version__
    assert said["machine"]["cores"] >= 1
    listed = json.loads((tmp_path / "run" / "data.json").read_text())["clear"]
    files = sorted(photographs.iterdir())
    assert listed == {str(f): hashlib.sha256(f.read_bytes()).hexdigest() for f in files}
    together = hashlib.sha256(b"".join(hashlib.sha256(f.read_bytes()).digest() for f in files)).hexdigest()
    assert said["data"]["clear"] == {"files": 3, "sha256": together}


@pytest.mark.slow
def test_a_run_is_not_resumed_on_other_photographs(photographs, tmp_path, capsys):
    mine = tmp_path / "mine"
    shutil.copytree(photographs, mine)
    assert call(mine, tmp_path / "run") == 0
    shutil.copy(mine / "1.png", mine / "2.png")
    assert call(mine, tmp_path / "run", "--resume") == 2
    assert "not the files that" in capsys.readouterr().err


@pytest.mark.slow
def test_pictures_of_the_run(photographs, tmp_path):
    assert call(photographs, tmp_path / "run") == 0
    with Image.open(tmp_path / "run" / "pictures" / "sample.png") as sample:
        assert sample.size == (4 * 256, 3 * 256)  # four scenes; hazy, restored, true
    with Image.open(tmp_path / "run" / "pictures" / "episode.gif") as film:
        assert film.size == (256, 256)
        assert film.n_frames >= 2
    board = event_accumulator.EventAccumulator(
        str(tmp_path / "run" / "tensorboard"), size_guidance={event_accumulator.IMAGES: 0}
    )
    board.Reload()
    assert set(board.Tags()["images"]) == {"sample", "episode"}
    assert board.Images("episode")[0].encoded_image_string[:3] == b"GIF"
    assert "models/reconstruction" in board.Tags()["scalars"]
