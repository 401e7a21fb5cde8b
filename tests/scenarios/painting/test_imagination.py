import numpy as np
import pytest
import torch

from clairvoy.apps.cli import main
from clairvoy.errors import InputError, WeightsError
from clairvoy.painting.coverage import coverage
from clairvoy.painting.imagination import (
    BRUSH,
    NUMBERS,
    PROPOSALS,
    Imagination,
    row_of,
    stroke_of,
    with_strokes,
)
from clairvoy.painting.painting import Painting, Stroke, on_paper
from clairvoy.painting.target import Target
from clairvoy.scenarios.painting.imagination_game import ImaginationGame
from clairvoy.scenarios.painting.imagination_training import (
    AfterstateNetwork,
    ImaginationTraining,
    border_colour,
    imagination_of,
    train_imagination,
)
from clairvoy.scenarios.painting.set_strokes import (
    TEMPERATURE,
    StrokeVAE,
    learn_set_strokes,
    paint_set,
    replayed,
)

PIXELS, STROKES = 8, 3
GROUND = np.zeros(3)


def bars(count, rng):
    """White bars, upright or lying: a set of two kinds of pictures."""
    made = []
    for _ in range(count):
        pixels = np.zeros((PIXELS, PIXELS, 3))
        at = rng.integers(2, 5)
        if rng.random() < 0.5:
            pixels[1:7, at : at + 2] = 1.0
        else:
            pixels[at : at + 2, 1:7] = 1.0
        made.append(Target(pixels, np.ones((PIXELS, PIXELS)), (PIXELS, PIXELS)))
    return made


@pytest.fixture(scope="module")
def parts():
    torch.manual_seed(0)
    features = PIXELS * PIXELS * 3 + 1
    rows = np.random.default_rng(0).normal(size=(50, NUMBERS)) @ np.diag(np.linspace(0.1, 2, NUMBERS))
    return StrokeVAE(features, rows), AfterstateNetwork(features)


@pytest.fixture
def imagination(parts):
    return imagination_of(*parts, PIXELS, STROKES, GROUND)


def test_numpy_values_and_proposals_are_those_of_torch(parts, imagination):
    vae, network = parts
    canvases = np.random.default_rng(0).random((2, PIXELS, PIXELS, 3))
    shown = torch.as_tensor(imagination.shown(canvases, 2))
    with torch.no_grad():
        wanted = network.value(shown)[:, 0]
        noise = np.random.default_rng(1).standard_normal((2, 4, 8 + NUMBERS), dtype=np.float32)
        seen = vae.see(shown).relu()[:, None].expand(-1, 4, -1)
        units = vae.decode(torch.cat([seen, torch.as_tensor(noise[..., :8])], dim=2))
        units += TEMPERATURE * np.exp(-1) * torch.as_tensor(noise[..., 8:])
        rows = vae.mean + torch.linalg.solve(vae.to_units.T, units[..., None])[..., 0]
    np.testing.assert_allclose(imagination.values(canvases, 2), wanted.numpy(), atol=1e-5)
    drawn = imagination.propose(canvases, 2, 4, np.random.default_rng(1))
    np.testing.assert_allclose(drawn, rows.numpy(), atol=1e-4)


def test_a_canvas_with_a_stroke_is_what_a_painting_draws():
    shape = np.array([0.2, 0.3, 0.5, 0.9, 0.8, 0.4, 0.05, 0.03, 0.02])
    stroke = Stroke(BRUSH, shape, np.array([1.0, 0.2, 0.4]), 1.0)
    row = row_of(stroke)
    np.testing.assert_allclose(stroke_of(row).shape, shape)
    back = row_of(Stroke(BRUSH, shape[[4, 5, 2, 3, 0, 1, 8, 7, 6]], stroke.colour, 1.0))
    np.testing.assert_allclose(back, row)
    canvases = np.full((2, 32, 32, 3), 0.25)
    after = with_strokes(canvases, np.broadcast_to(row, (2, 1, NUMBERS)))
    cover = coverage(BRUSH.outline(shape[None], 16)[0] * 32, 32, 32)[..., None]
    np.testing.assert_allclose(after[1, 0], 0.25 + cover * (stroke.colour - 0.25), atol=1e-12)
    whole = on_paper(Painting((32, 32), np.full(3, 0.25), [stroke]).draw(32))
    assert np.abs(after[0, 0] - whole).mean() < 0.01


def test_replaying_gives_the_canvas_before_each_stroke():
    rows = paint_set(bars(2, np.random.default_rng(0)), STROKES, GROUND, np.random.default_rng(0)).rows
    again = replayed(rows, GROUND, PIXELS)
    assert not again.before[:, 0].any()
    last = with_strokes(again.before[:, -1] / 255.0, rows[:, -1:])[:, 0]
    np.testing.assert_allclose(last, again.finished, atol=0.01)


def test_belief_in_the_last_canvas_is_the_reward(imagination):
    game = ImaginationGame(imagination, lambda canvases: canvases.mean(axis=(1, 2, 3)), 2)
    game.reset(torch.Generator().manual_seed(0))
    for number in range(STROKES):
        offered = game.observation["after"].numpy() / 255.0
        step = game.step(torch.tensor([1, PROPOSALS - 1]))
        chosen = offered[[0, 1], [1, PROPOSALS - 1]]
        ends = number == STROKES - 1
        assert step.terminated.tolist() == [ends] * 2
        np.testing.assert_allclose(step.reward, chosen.mean(axis=1) * ends, atol=2e-3)
    assert len(game.finished) == 2
    assert game.finished[0].rows.shape == (STROKES, NUMBERS)
    assert step.observation["painted"][0, 0] == pytest.approx(1 / STROKES)


def test_the_same_seed_imagines_the_same_and_the_agent_chooses(imagination):
    shapes = [
        [stroke.shape.tolist() for painting in imagination.imagine(2, np.random.default_rng(seed), agent=agent)
         for stroke in painting.strokes]
        for seed, agent in ((1, True), (1, True), (2, True), (1, False))
    ]  # fmt: skip
    assert shapes[0] == shapes[1]
    assert shapes[0] != shapes[2]
    assert shapes[0] != shapes[3]


@pytest.mark.slow
def test_the_generator_learns_the_strokes_of_a_set():
    rng = np.random.default_rng(0)
    upright = np.array([0.5, 0.1, 0.5, 0.5, 0.5, 0.9, -3.0, -3.0, -3.0, 1, 1, 1])
    rows = np.repeat(upright[None, None], 200, axis=0) + 0.02 * rng.normal(size=(200, 1, NUMBERS))
    torch.manual_seed(0)
    model = StrokeVAE(PIXELS * PIXELS * 3 + 1, rows)
    learn_set_strokes(model, replayed(rows, GROUND, PIXELS), GROUND, 400, torch.Generator().manual_seed(0))
    network = AfterstateNetwork(PIXELS * PIXELS * 3 + 1)
    drawn = imagination_of(model, network, PIXELS, 1, GROUND).propose(np.zeros((1, 8, 8, 3)), 0, 200, rng)
    np.testing.assert_allclose(drawn[0].mean(axis=0), upright, atol=0.1)


@pytest.mark.slow
def test_a_set_is_learnt_and_imagined_by_the_commands(tmp_path, capsys):
    import cv2

    (tmp_path / "set").mkdir()
    for number, target in enumerate(bars(12, np.random.default_rng(0))):
        cv2.imwrite(str(tmp_path / "set" / f"{number}.png"), np.round(target.pixels * 255).astype(np.uint8))
    run = tmp_path / "run"
    few = ["--pixels", "8", "--strokes", "2", "--updates", "20", "--steps", "256", "-q"]
    assert main(["train", "imagine", str(tmp_path / "set"), "--out", str(run), *few]) == 0
    assert main(["train", "imagine", str(tmp_path / "set"), "--out", str(run), *few]) == 2
    weights = str(run / "imagination.safetensors")
    for name in ("a.svg", "b.svg", "a.png"):
        assert main(["imagine", weights, "-o", str(tmp_path / name), "--count", "3", "--size", "20"]) == 0
    assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes()
    assert (tmp_path / "a.svg").read_text().count("<polygon") == 3 * 2
    assert cv2.imread(str(tmp_path / "a.png")).shape == (43, 43, 3)
    capsys.readouterr()
    for options, message in (
        (["-o", str(tmp_path / "a.svg")], "exists; --overwrite replaces it"),
        (["-o", "x.gif"], "--output writes .svg or .png"),
        (["-o", str(tmp_path / "x.png"), "--size", "9000"], "the sheet would be"),
    ):
        assert main(["imagine", weights, *options]) == 2
        assert message in capsys.readouterr().err


def test_the_ground_is_the_colour_of_the_borders():
    targets = bars(8, np.random.default_rng(0))
    for target in targets:
        target.pixels[[0, -1]] = target.pixels[:, [0, -1]] = [1.0, 0.2, 0.0]
    np.testing.assert_allclose(border_colour(targets), [1.0, 0.2, 0.0])


def test_too_few_pictures_and_pictures_that_are_not_square_are_refused():
    with pytest.raises(InputError, match="give at least 8"):
        train_imagination(bars(3, np.random.default_rng(0)), ImaginationTraining(), print)
    wide = [Target(np.zeros((4, 6, 3)), np.ones((4, 6)), (6, 4))] * 8
    with pytest.raises(InputError, match="give square ones"):
        train_imagination(wide, ImaginationTraining(), print)


def test_another_file_is_refused(tmp_path):
    (tmp_path / "x.safetensors").write_bytes(b"nothing")
    with pytest.raises(WeightsError, match="cannot be read"):
        Imagination.load(tmp_path / "x.safetensors")
