"""Graphs of the runtime against torch: the same numbers, at sizes that they were not exported with."""

import json
import math

import cv2
import numpy as np
import onnx
import onnxruntime
import pytest
import torch

from clairvoy.errors import SettingsError, WeightsError
from clairvoy.generative.density.picture_size import working_size
from clairvoy.generative.density.vae import VAESettings
from clairvoy.releasing import export, graphs, save
from clairvoy.releasing.parts import Parts, load_weights
from clairvoy.restoring.cast import without_cast
from clairvoy.restoring.dehazer import Dehazer
from clairvoy.restoring.engine import Engine
from clairvoy.restoring.full_resolution import FullResolution
from clairvoy.restoring.noise import noise_level, within_noise, within_signal
from clairvoy.restoring.planes import small
from clairvoy.restoring.released import FORMAT, read_released
from clairvoy.searching.beliefs import pool_beliefs
from clairvoy.searching.explore import PHOTOGRAPH_BUDGET, cut_windows, search
from clairvoy.storage.weights_file import read_weights, write_weights


def photo(height, width, seed=0):
    """Smooth colours under a veil, float32 in [0, 1]."""
    coarse = np.random.default_rng([height, seed]).random((6, 8, 3)).astype(np.float32)
    view = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC).clip(0, 1)
    t = np.linspace(0.3, 0.9, height, dtype=np.float32)[:, None, None]
    return view * t + 0.9 * (1 - t)


def by_torch(parts, pixels):
    """What `Dehazer` does by force, with torch wherever a network or the physics is asked."""
    shown = torch.from_numpy(small(pixels, None, working_size(*pixels.shape[:2])))
    seen = parts.perceiver.perceive(shown)
    airlight = without_cast(seen.airlight.flatten(1).numpy(), shown.numpy(), seen.grid.numpy())
    light = torch.from_numpy(airlight)[:, :, None, None]
    grid = within_noise(within_signal(seen.grid.numpy(), shown.numpy(), airlight), noise_level(pixels))
    picture = torch.from_numpy(pixels).permute(2, 0, 1)[None].float() / 255
    with torch.inference_mode():
        restored, _ = parts.generator.restore_along(picture, torch.from_numpy(grid), light)
        windows = (torch.from_numpy(small(pixels, None, (256, 256))) * 255).round().to(torch.uint8)
        maps = pool_beliefs(*parts.perceiver.beliefs(seen))
        found = search(parts.agent, cut_windows(windows), maps, budget=PHOTOGRAPH_BUDGET)
    return restored.clamp(0, 1)[0].permute(1, 2, 0).numpy() * 255, seen, found, airlight[0]


@pytest.mark.parametrize("weights", ["fast", "untrained"])
@pytest.mark.parametrize("size", [(80, 96), (333, 200), (120, 1500), (17, 40), (700, 900)])
def test_the_runtime_makes_the_pixels_that_torch_makes(weights, size, untrained_weights):
    path = weights if weights == "fast" else untrained_weights
    pixels = np.rint(photo(*size) * 255).astype(np.uint8)
    result = Dehazer.load(path, "cpu")(pixels, force=True)
    parts = load_weights(path)
    expected, seen, found, airlight = by_torch(parts, pixels)
    assert np.abs(result.image - expected).max() < 1  # after rounding: one level at most, and hardly ever
    assert (np.rint(expected) != result.image).mean() < 1e-3
    np.testing.assert_allclose(result.airlight, airlight, atol=1e-4)
    haze = float(seen.haze.mean())
    assert result.report.haze_probability == pytest.approx(
        parts.calibration.haze_probability(found.value, haze, seen.appearance[0]), abs=1e-4
    )
    assert result.report.tau == pytest.approx(float(parts.calibration.of_picture(seen.signs)[0]), abs=1e-4)
    assert result.report.windows_looked_at == int(found.visited.sum())


def test_other_sizes_are_seen_as_torch_sees_them(untrained_weights):
    parts, engine = load_weights(untrained_weights), Engine.load(untrained_weights, "cpu")
    pixels = photo(300, 400)
    sizes = [small(pixels, None, working_size(300, 400, area)) for area in (256**2, 320**2, 384**2)]
    found = engine.perceive(sizes[0], sizes[1:])
    with torch.inference_mode():
        seen = parts.perceiver.perceive(
            torch.from_numpy(sizes[0]), other_sizes=[torch.from_numpy(size) for size in sizes[1:]]
        )
    np.testing.assert_allclose(found.grid, seen.grid, atol=1e-4)
    np.testing.assert_allclose(found.airlight, seen.airlight.flatten(1), atol=1e-5)
    np.testing.assert_allclose(found.tau_map, parts.perceiver.tau(seen), atol=1e-4)


def test_the_draw_that_is_kept_is_the_most_believed_one(untrained_weights):
    parts, engine = load_weights(untrained_weights), Engine.load(untrained_weights, "cpu")
    shown = small(photo(90, 120), None, working_size(90, 120))
    believed = []

    def belief(grid, airlight):
        restored, _ = parts.generator.restore_along(
            torch.from_numpy(shown), torch.from_numpy(grid), torch.from_numpy(airlight)[:, :, None, None]
        )
        return float(parts.discriminator.belief(parts.generator, restored.clamp(0, 1)).mean())

    likeliest = engine.perceive(shown)
    for samples in (1, 2, 20):
        drawn = engine.best_draw(shown, samples)
        believed.append(belief(*(drawn or (likeliest.grid, likeliest.airlight))))
    assert engine.best_draw(shown, 1) is None
    assert believed[0] <= believed[1] <= believed[2]
    assert believed[0] < believed[2]
    again, drawn = engine.best_draw(shown, 20), engine.best_draw(shown, 20)
    np.testing.assert_array_equal(again[0], drawn[0])


def test_weights_without_graphs_say_what_to_do_and_can_be_given_them(tmp_path, monkeypatch):
    torch.manual_seed(1)
    plain, whole = tmp_path / "weights.safetensors", tmp_path / "whole.safetensors"
    save.save_weights(plain, Parts.new(VAESettings(width=8, latent=4)), {"who": "me"}, graphs=False)
    with pytest.raises(WeightsError, match=r"clairvoy export --weights .*weights.safetensors"):
        Dehazer.load(plain)
    assert save.put_graphs(plain, whole) <= save.TOLERANCE
    assert Dehazer.load(whole)(np.rint(photo(40, 50) * 255).astype(np.uint8)).image.shape == (40, 50, 3)
    before, after = read_released(plain), read_released(whole)
    assert json.loads(after.header["notes"]) == {"who": "me"}
    for name, array in before.tensors.items():
        np.testing.assert_array_equal(array, after.tensors[name])
    # What is wrong with a graph costs the graph, and not what was there.
    monkeypatch.setattr(export, "largest_gap", lambda *_: float("nan"))
    with pytest.raises(WeightsError, match="differs from torch"):
        save.put_graphs(plain, tmp_path / "other.safetensors")
    assert not (tmp_path / "other.safetensors").exists()
    monkeypatch.setattr(export, "find_spec", lambda name: None)
    with pytest.raises(SettingsError, match=r"clairvoy\[train\]"):
        save.put_graphs(plain, whole)
    assert read_released(whole).header == after.header


def test_graphs_of_another_version_say_what_to_do(untrained_weights, tmp_path):
    old = tmp_path / "old.safetensors"
    header, tensors = read_weights(untrained_weights, FORMAT, "")
    graph = onnx.load_from_string(tensors["graph.perception"].numpy().tobytes())
    del graph.graph.output[-1]
    tensors["graph.perception"] = torch.frombuffer(bytearray(graph.SerializeToString()), dtype=torch.uint8)
    write_weights(old, FORMAT, tensors, header)
    with pytest.raises(WeightsError, match=r"old.safetensors.*clairvoy export"):
        Dehazer.load(old)


def test_weights_from_before_appearance_counted_recognise_as_they_did(untrained_weights, tmp_path):
    """By value and haze alone."""
    old, new = tmp_path / "old.safetensors", tmp_path / "new.safetensors"
    header, tensors = read_weights(untrained_weights, FORMAT, "")
    write_weights(old, FORMAT, {**tensors, "calibration.recognition": torch.tensor([0.7, 2.0, -0.5])}, header)
    save.put_graphs(old, new)
    engine = Engine.load(new, "cpu")
    assert float(engine.perceive(photo(48, 64).transpose(2, 0, 1)[None]).appearance[0]) == 0
    told = engine.haze_probability(math.e - 1, 0.3, 0.0)
    assert told == pytest.approx(1 / (1 + math.exp(-(0.7 + 2.0 * 0.3 - 0.5))))


def test_released_graphs_are_those_of_the_code():
    """Whoever changes what a network computes has to export the released weights again: `clairvoy export`."""
    released = read_released("fast")
    parts = load_weights("fast")
    for name, one in export.exports(parts).items():
        assert export.largest_gap(one, released.graph(name)) <= save.TOLERANCE, name


class TestRestoration:
    """The graph for other programs: any size in, no Python around it."""

    @pytest.fixture
    def session(self, untrained_weights):
        model = read_released(untrained_weights).graph("restoration")
        return onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])

    def run(self, session, picture, strength):
        planes = np.ascontiguousarray(picture.transpose(2, 0, 1))[None]
        return session.run(None, {"picture": planes, "strength": np.array([strength], np.float32)})

    @pytest.mark.parametrize("size", [(16, 16), (48, 70), (300, 517), (720, 1000)])
    def test_it_restores_as_the_dehazer_does_without_its_limits(self, session, untrained_weights, size):
        picture = photo(*size)
        restored, od, airlight = self.run(session, picture, 0.8)
        engine = Engine.load(untrained_weights, "cpu")
        seen = engine.perceive(small(picture, None, working_size(*size)))
        whole = FullResolution(seen.grid[0], engine.released.guide, seen.airlight[0])
        np.testing.assert_allclose(restored[0].transpose(1, 2, 0), whole.restore(picture, 0.8), atol=2e-3)
        np.testing.assert_allclose(np.exp(-od[0, 0]), whole.transmission(picture), atol=2e-3)
        np.testing.assert_allclose(airlight, seen.airlight, atol=2e-3)

    def test_strength_zero_is_the_identity(self, session):
        picture = photo(100, 90)
        restored = self.run(session, picture, 0.0)[0]
        np.testing.assert_allclose(restored[0].transpose(1, 2, 0), picture, atol=1e-6)

    @pytest.mark.parametrize(("old", "new"), [(300, 64), (1000, 272), (65, 64)])
    def test_shrinking_is_the_mean_over_areas(self, old, new):
        line = np.random.default_rng(0).random((old, 1)).astype(np.float32)
        matrix = graphs.resampling(torch.tensor(float(old)), torch.tensor(float(new)), torch.tensor(True))
        torch.testing.assert_close(matrix.sum(dim=1), torch.ones(new), atol=1e-4, rtol=0)
        expected = cv2.resize(line, (1, new), interpolation=cv2.INTER_AREA)
        np.testing.assert_allclose(matrix.numpy() @ line, expected.reshape(new, 1), atol=1e-4)

    def test_enlarging_is_linear(self):
        line = np.random.default_rng(0).random((20, 1)).astype(np.float32)
        matrix = graphs.resampling(torch.tensor(20.0), torch.tensor(64.0), torch.tensor(False))
        expected = cv2.resize(line, (1, 64), interpolation=cv2.INTER_LINEAR)
        np.testing.assert_allclose(matrix.numpy() @ line, expected.reshape(64, 1), atol=1e-5)

    def test_a_picture_is_perceived_at_the_size_that_the_dehazer_uses(self, untrained_weights):
        module = graphs.RestorationGraph(load_weights(untrained_weights).generator)
        seen = []
        module.generator.trunk.register_forward_hook(lambda _, inputs, __: seen.append(inputs[0].shape[2:]))
        for height, width in ((16, 16), (100, 37), (480, 640), (90, 2000)):
            with torch.inference_mode():
                module(torch.rand(1, 3, height, width), torch.ones(1))
            assert tuple(seen[-1]) == working_size(height, width)
