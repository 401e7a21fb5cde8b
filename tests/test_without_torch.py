"""What people use runs where there is no torch: each way in a process of its own, in which torch cannot be imported."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from made_rasters import hazy, write_raster
from PIL import Image

EXAMPLE = Path(__file__).parent.parent / "examples/hazy/salcantay.jpg"
FORBID = """
import sys

class NoTorch:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("torch", "gymnasium", "onnx", "numba"):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, NoTorch())
"""


def run(program: str, *, torch: bool = False) -> subprocess.CompletedProcess:
    """Run a program in a fresh interpreter, without torch unless it is asked for."""
    code = ("import sys\n" if torch else FORBID) + program
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)


def command(*arguments: object) -> str:
    return (
        f"from clairvoy.apps.cli import main\nassert main({[str(a) for a in arguments]!r}) == 0\n"
        "assert 'torch' not in sys.modules, 'torch was imported'\n"
    )


@pytest.fixture
def photo(tmp_path):
    """A small hazy photograph, as a file."""
    import cv2

    picture = cv2.resize(cv2.imread(str(EXAMPLE)), (160, 106), interpolation=cv2.INTER_AREA)
    (tmp_path / "hazy").mkdir()
    cv2.imwrite(str(tmp_path / "hazy/one.png"), picture)
    return tmp_path / "hazy/one.png"


WAYS = {
    "clear": (
        "clear",
        "{photo}",
        "-o",
        "{out}/clear.png",
        "--comparison",
        "{out}/look.png",
        "--samples",
        "3",
    ),
    "clear, fine": ("clear", "{photo}", "-o", "{out}/fine.png", "--preset", "fine"),
    "clear, a raster": ("clear", "{raster}", "-o", "{out}/raster.tif", "--force"),
    "search": ("search", "{photo}", "-o", "{out}/found"),
    "evaluate haze": ("evaluate", "haze", "--hazy", "{folder}", "--clear", "{folder}"),
    "evaluate recognition": ("evaluate", "recognition", "--hazy", "{folder}", "--clear", "{folder}"),
    "evaluate tau": ("evaluate", "tau", "--hazy", "{crops}", "--clear", "{crops}"),
    "export": ("export", "--onnx", "{out}/fast.onnx"),
}


@pytest.mark.slow
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("torch", [False, True], ids=["torch missing", "torch there"])
def test_a_command_imports_no_torch(way, torch, photo, tmp_path):
    raster = write_raster(tmp_path / "raster-in.tif", hazy(96, 96))
    names = {
        "photo": photo,
        "folder": photo.parent,
        "out": tmp_path,
        "raster": raster,
        "crops": tmp_path / "crops",
    }
    for number in range(20):
        names["crops"].mkdir(exist_ok=True)
        with Image.open(photo) as picture:
            picture.crop((number, number, 64 + 2 * number, 64)).save(names["crops"] / f"{number}.png")
    done = run(command(*(argument.format(**names) for argument in WAYS[way])), torch=torch)
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
def test_the_library_takes_every_kind_without_torch(photo):
    done = run(
        f"""
import numpy as np
from PIL import Image
from clairvoy import Dehazer, clear
pixels = np.asarray(Image.open({str(photo)!r}))
for kind in (pixels, pixels.astype(np.float32) / 255, Image.open({str(photo)!r}), {str(photo)!r}):
    assert type(clear(kind, force=True)) is not None
result = Dehazer.load("fine")(pixels)
assert result.haze.shape == result.tau.shape == pixels.shape[:2]
assert "torch" not in sys.modules
"""
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
@pytest.mark.parametrize(
    "arguments",
    [
        ("train", "haze", "--clear", "."),
        ("train", "world", "CartPole-v1"),
        ("evaluate", "tau", "--photographs", "."),
    ],
    ids=" ".join,
)
def test_what_needs_torch_names_the_command_and_the_extra(arguments, tmp_path):
    program = f"from clairvoy.apps.cli import main\nsys.exit(main({[*arguments]!r}))"
    code = FORBID + f"import os; os.chdir({str(tmp_path)!r})\n" + program
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 2
    assert f"which `clairvoy {arguments[0]}` needs: pip install 'clairvoy[train]'" in done.stderr, done.stderr
