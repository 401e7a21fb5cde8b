"""Devices by their names, threads by what is asked for."""

import os

import numpy as np
import onnxruntime
import pytest

from clairvoy.errors import SettingsError, WeightsError
from clairvoy.restoring import sessions
from clairvoy.restoring.released import read_released
from clairvoy.restoring.sessions import choose_device, session, threads


@pytest.fixture
def providers(monkeypatch):
    def set_to(*names):
        monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: [*names, "CPUExecutionProvider"])

    return set_to


def test_auto_takes_what_is_there(providers):
    providers("AzureExecutionProvider")
    assert choose_device("auto") == "cpu"
    providers("DmlExecutionProvider")
    assert choose_device("auto") == "directml"
    providers("CoreMLExecutionProvider")
    assert choose_device("auto") == "coreml"
    providers("CUDAExecutionProvider", "DmlExecutionProvider")
    assert choose_device("auto") == "cuda"
    assert choose_device("cuda:1") == "cuda:1"


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("cuda", "onnxruntime-gpu"),
        ("directml", "onnxruntime-directml"),
        ("mps", "coreml"),
        ("abacus", "auto, cuda, directml, coreml, cpu"),
        ("cpu:1", "not known"),
        ("cuda:x", "not known"),
    ],
)
def test_what_is_not_there_is_named_with_the_remedy(providers, name, says):
    providers()
    with pytest.raises(SettingsError, match=says):
        choose_device(name)


def test_a_device_whose_library_is_missing_is_refused_and_not_passed_over(monkeypatch):
    """ONNX Runtime itself would go on, on the CPU."""
    model = read_released("fast").graph("agent")
    monkeypatch.setitem(sessions.PROVIDERS, "cuda", "CUDAExecutionProvider")
    made = onnxruntime.InferenceSession
    monkeypatch.setattr(
        onnxruntime,
        "InferenceSession",
        lambda model, options, providers: made(model, options, providers=["CPUExecutionProvider"]),
    )
    with pytest.raises(SettingsError, match="library or driver"):
        session(model, "cuda:0")


def test_a_model_that_makes_no_sense_is_named():
    with pytest.raises(WeightsError, match=onnxruntime.__version__):
        session(b"no model", "cpu")


def test_threads_are_those_asked_for_or_the_cores(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    assert threads() == 3
    for nothing in ("", "0", "many"):
        monkeypatch.setenv("OMP_NUM_THREADS", nothing)
        assert 1 <= threads() <= (os.cpu_count() or 1)


def test_the_agent_answers_for_any_number_of_windows():
    values = session(read_released("fast").graph("agent"), "cpu")
    rng = np.random.default_rng(0)
    shapes = {"window": (3, 32, 32), "belief": (4,), "memory": (8, 9, 9), "position": (8,)}
    shapes["guides"] = tuple(int(n) for n in values.get_inputs()[4].shape[1:])
    many = {name: rng.random((5, *shape), dtype=np.float32) for name, shape in shapes.items()}
    many["window"] = (many["window"] * 255).astype(np.uint8)
    together = values.run(None, many)[0]
    alone = [values.run(None, {k: v[n : n + 1] for k, v in many.items()})[0][0] for n in range(5)]
    np.testing.assert_allclose(together, alone, atol=1e-4)
