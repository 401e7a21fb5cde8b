"""``clairvoy doctor``: what is installed, what computes, how fast, and what to install for what is missing."""

from __future__ import annotations

import argparse
import platform
import sys
import time
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from typing import Any, NamedTuple

from clairvoy import __version__
from clairvoy.apps.outputs import to_json
from clairvoy.errors import ClairvoyError
from clairvoy.restoring.sessions import PROVIDERS

BASE = ("numpy", "onnxruntime", "opencv-python-headless", "pillow", "safetensors", "tifffile")
"""Packages that every installation has; a build of onnxruntime for another device stands in for it."""
_INSTEAD = {"onnxruntime": ("onnxruntime-gpu", "onnxruntime-directml")}


class Extra(NamedTuple):
    """Something that can be done where a module is installed."""

    name: str
    module: str
    package: str
    purpose: str


EXTRAS = (
    Extra("speed", "numba", "numba", "large photographs a little faster"),
    Extra("heic", "pi_heif", "pi-heif", "reading HEIC"),
    Extra("geo", "rasterio", "rasterio", "restoring GeoTIFF, COG and TIFFs larger than memory"),
    Extra("raw", "rawpy", "rawpy", "reading camera raw"),
    Extra("jxl", "pylibjxl", "pylibjxl", "reading JPEG XL"),
    Extra("serve", "fastapi", "fastapi", "a server"),
    Extra("train", "torch", "torch", "training"),
    Extra("history", "minari", "minari", "histories as Minari data sets"),
    Extra("games", "minatar", "MinAtar", "MinAtar and Atari"),
)
_SIDES = (1080, 1920)
"""Of the picture that speed is measured with."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what ``clairvoy doctor`` understands."""
    parser.add_argument("--json", action="store_true", help="print JSON instead of the table")
    parser.add_argument("--no-speed", action="store_true", help="measure no speed")


def run(args: argparse.Namespace) -> int:
    """Say how this installation is; return 0, or 2 if it cannot restore a picture."""
    found = {
        "clairvoy": __version__,
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "packages": packages(),
        "devices": devices(),
        "extras": extras(),
    }
    restores = restoration(measured=not args.no_speed)
    found["restoration"] = restores
    sys.stdout.write(to_json(found).decode() if args.json else table(found))
    return 2 if "fault" in restores else 0


def packages() -> dict[str, str | None]:
    """Version of each package that restoring needs; None where it is missing."""
    return {name: _version(name, *_INSTEAD.get(name, ())) for name in BASE}


def extras() -> dict[str, str | None]:
    """Version of what stands for each extra; None where it is missing."""
    return {
        extra.name: _version(extra.package) if find_spec(extra.module) is not None else None
        for extra in EXTRAS
    }


def devices() -> dict[str, str]:
    """What became of a small graph on each device: "works", or why it does not."""
    from clairvoy.restoring.released import read_released
    from clairvoy.restoring.sessions import choose_device, session

    outcome = {}
    for name in PROVIDERS:
        try:
            session(read_released("fast").graph("agent"), choose_device(name))
            outcome[name] = "works"
        except ClairvoyError as error:
            outcome[name] = str(error)
    return outcome


def restoration(*, measured: bool) -> dict[str, Any]:
    """Restore a made picture; threads, seconds to load and seconds for a picture, or the ``fault``."""
    import numpy as np

    from clairvoy.restoring.dehazer import Dehazer

    try:
        begun = time.perf_counter()
        dehazer = Dehazer.load()
        loaded = time.perf_counter() - begun
        ramp = np.linspace(120, 230, _SIDES[0] * _SIDES[1] * 3 if measured else 64 * 64 * 3)
        shape = (*_SIDES, 3) if measured else (64, 64, 3)
        picture = ramp.reshape(shape).astype(np.uint8)
        dehazer(picture, force=True)  # what is compiled or read once is not measured
        begun = time.perf_counter()
        report = dehazer(picture, force=True).report
    except ClairvoyError as error:
        return {"fault": str(error)}
    told = {"device": report.device, "threads": dehazer.engine.threads, "seconds_to_load": round(loaded, 2)}
    if measured:
        told["seconds_for_2_megapixels"] = round(time.perf_counter() - begun, 2)
    return told


def table(found: dict[str, Any]) -> str:
    """The same for people."""
    lines = [f"clairvoy {found['clairvoy']}, Python {found['python']}, {found['system']}", ""]
    lines += [f"  {name:<24}{number or 'missing'}" for name, number in found["packages"].items()]
    lines += ["", "devices"]
    lines += [f"  {name:<24}{outcome}" for name, outcome in found["devices"].items()]
    lines += ["", "extras"]
    for extra in EXTRAS:
        number = found["extras"][extra.name]
        says = number if number else f"pip install 'clairvoy[{extra.name}]'"
        lines.append(f"  {extra.purpose:<40}{says}")
    restores = found["restoration"]
    lines += ["", "restoration"]
    lines += [f"  {name.replace('_', ' '):<40}{value}" for name, value in restores.items()]
    return "\n".join(lines) + "\n"


def _version(*names: str) -> str | None:
    for name in names:
        try:
            return version(name) if name == names[0] else f"{version(name)} ({name})"
        except PackageNotFoundError:
            continue
    return None
