"""ONNX Runtime: what computes, by the name of a device, and sessions that keep no more memory than they use."""

from __future__ import annotations

import os
from typing import Any

from clairvoy.errors import SettingsError, WeightsError

PROVIDERS = {
    "cuda": "CUDAExecutionProvider",
    "directml": "DmlExecutionProvider",
    "coreml": "CoreMLExecutionProvider",
    "cpu": "CPUExecutionProvider",
}
"""What computes on each device, in the order in which "auto" tries them."""
DEVICES = ("auto", *PROVIDERS)
_NEEDS = {
    "cuda": "the package onnxruntime-gpu instead of onnxruntime",
    "directml": "the package onnxruntime-directml instead of onnxruntime",
    "coreml": "a Mac",
}


def choose_device(name: str) -> str:
    """A device that is there, such as "cpu" or "cuda:1"; "auto" is the first of `PROVIDERS` whose provider is installed.

    Raises
    ------
    SettingsError
        An unknown name, or a device that ONNX Runtime, as it is installed here, does not know.
    """
    import onnxruntime

    there = set(onnxruntime.get_available_providers())
    if name == "auto":
        return next(kind for kind, provider in PROVIDERS.items() if provider in there)
    kind, _, number = name.partition(":")
    if kind not in PROVIDERS or (number and not (kind in ("cuda", "directml") and number.isdigit())):
        advice = "; Apple's GPU is called coreml" if kind == "mps" else ""
        raise SettingsError(f"device {name!r} is not known; choose one of {', '.join(DEVICES)}{advice}")
    if PROVIDERS[kind] not in there:
        raise SettingsError(
            f"device {name!r} is not to be had: it needs {_NEEDS[kind]}; choose 'auto' or 'cpu'"
        )
    return name


def threads() -> int:
    """How many threads to compute with: what ``OMP_NUM_THREADS`` says, or one for each core that this process may use."""
    asked = os.environ.get("OMP_NUM_THREADS", "").partition(",")[0]
    if asked.isdigit() and int(asked):
        return int(asked)
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def session(model: bytes, device: str) -> Any:
    """An ``onnxruntime.InferenceSession`` of a model on a device from `choose_device`.

    Raises
    ------
    SettingsError
        The device cannot be used after all: a library or a driver of it is missing.
    WeightsError
        The model makes no sense to this ONNX Runtime.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads()
    options.inter_op_num_threads = 1
    # Pictures come in many shapes. An arena and a plan for each of them would stay for good.
    options.enable_cpu_mem_arena = options.enable_mem_pattern = False
    # Waiting threads sleep: the pass at full resolution has better use for the cores.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 4
    kind, _, number = device.partition(":")
    wanted = PROVIDERS[kind]
    settings = {"device_id": number} if number else {}
    chosen = [(wanted, settings), "CPUExecutionProvider"] if kind != "cpu" else ["CPUExecutionProvider"]
    try:
        made = onnxruntime.InferenceSession(model, options, providers=chosen)
    except Exception as error:  # of many kinds, by the device
        if kind == "cpu":
            raise WeightsError(
                f"onnxruntime {onnxruntime.__version__} cannot use the graph of these weights ({error}); install a newer one"
            ) from error
        raise SettingsError(f"device {device!r} cannot be used ({error}); choose 'cpu'") from error
    if wanted not in made.get_providers():
        raise SettingsError(
            f"device {device!r} cannot be used: ONNX Runtime has it, but a library or driver of it is missing; choose 'cpu'"
        )
    return made
