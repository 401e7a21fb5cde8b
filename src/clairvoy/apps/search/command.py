"""``clairvoy search``: the agent at work on a large scene; what it read, what it found, what it restored."""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from clairvoy.apps.argument_types import count, fraction
from clairvoy.apps.outputs import check_writable, to_json
from clairvoy.apps.own_stderr import own_stderr
from clairvoy.drawing.png import map_png, picture_png
from clairvoy.errors import FileError, SettingsError
from clairvoy.imaging.formats.recognition import READ_SUFFIXES, WRITTEN_AS, WRITTEN_SUFFIXES
from clairvoy.restoring.sessions import DEVICES
from clairvoy.storage.atomic import move_into_place, part_name, remove_abandoned_parts

if TYPE_CHECKING:
    from clairvoy.imaging.scenes import PictureScene, TiffScene
    from clairvoy.restoring.scene import SearchedScene, WindowRestorer

_EPILOG = """\
OUTDIR gets four files, all of them or none:
  path.png       the way that the agent took, drawn over what it knows of the scene
  haze.png       where haze was seen: 16-bit grey, 0 clear or not seen, 65535 opaque
  restored.*     the scene with the recognised windows restored, in the format of SCENE
  report.json    the account: windows read, recognised, in all, and what ended the search

A window is read when the agent comes to stand on it, also in passing, and is counted once. A thumbnail is looked at
first where one is at hand: of any picture that fits into memory, and of a large TIFF that holds an overview.
The agent searches a large TIFF by windows; to write restored.tif all of it is copied once, part by part.

examples:
  clairvoy search valley.jpg -o valley/
  clairvoy search orthophoto.tif -o found/ --grid 64x64 --budget 30% --no-thumbnail
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what ``clairvoy search`` understands."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = _EPILOG
    parser.add_argument("scene", metavar="SCENE", type=Path, help="a picture, or a TIFF of any size")
    add = parser.add_argument
    add("-o", "--output", metavar="OUTDIR", type=Path, required=True, help="folder for the four files")
    add("--overwrite", action="store_true", help="replace files that exist")
    add(
        "--grid", type=_grid, metavar="ROWSxCOLS",
        help="windows down and across, such as 16x24; one number is the longer side (default: by the size)",
    )  # fmt: skip
    add(
        "--budget", type=_budget, default=1.0, metavar="PART",
        help="part of the windows that may be read, such as 0.3 or 30%% (default: all)",
    )  # fmt: skip
    thumbnail = parser.add_mutually_exclusive_group()
    thumbnail.add_argument("--thumbnail", action="store_true", default=None, help="insist on a thumbnail")
    thumbnail.add_argument(
        "--no-thumbnail",
        dest="thumbnail",
        action="store_false",
        help="search blind: know only the windows read",
    )
    add(
        "--look-ahead", type=float, default=0.0, metavar="MARGIN",
        help="where the best two actions differ by less, go where the restoration is trusted most (default: 0, off)",
    )  # fmt: skip
    add(
        "--strength", type=fraction, default=1.0, metavar="0..1",
        help="how much haze to remove, such as 0.5 or 50%% (default: 1)",
    )  # fmt: skip
    add(
        "--max-pixels", type=count, default=200_000_000, metavar="N",
        help="largest picture that is read whole; a TIFF that is read by windows may have any size (default: 200000000)",
    )  # fmt: skip
    add("--weights", default="fast", metavar="NAME|FILE", help="released weights or your own (default: fast)")
    add("--device", choices=DEVICES, default="auto", help="where to compute (default: auto)")
    add("-q", "--quiet", action="store_true", help="say nothing but errors")


def run(args: argparse.Namespace) -> int:
    """Search one scene; return 0.

    Raises
    ------
    ClairvoyError
        The scene, the output or a setting is not usable.
    """
    if not 0 <= args.look_ahead < np.inf:
        raise SettingsError(f"--look-ahead is {args.look_ahead}; give a margin of 0 or more")
    restored = args.output / f"restored{_suffix(args.scene)}"
    targets = [args.output / name for name in ("path.png", "haze.png", "report.json")] + [restored]
    _check(args, targets)
    with own_stderr():
        _search(args, restored, targets)
    return 0


def _search(args: argparse.Namespace, restored: Path, targets: list[Path]) -> None:
    from clairvoy.imaging.scenes import open_scene
    from clairvoy.restoring.engine import Engine
    from clairvoy.restoring.scene import SceneSearcher, WindowRestorer, choose_grid

    begun = time.perf_counter()
    scene = open_scene(args.scene, max_pixels=args.max_pixels)
    rows, cols = args.grid or choose_grid(scene.height, scene.width)
    if cols == 0:  # one number: the longer side, with windows about square
        longest, scale = max(scene.height, scene.width), rows
        rows, cols = (max(1, round(scale * side / longest)) for side in (scene.height, scene.width))
    engine = Engine.load(args.weights, args.device)
    found = SceneSearcher(engine, scene, rows, cols, args.thumbnail).run(args.budget, args.look_ahead)
    searched = time.perf_counter() - begun

    from clairvoy.apps.search.picture import search_picture

    restorer = WindowRestorer(engine, found, args.strength)
    account = _account(args, scene, found, searched)
    # Everything is written into a folder of its own first, then moved: an error leaves nothing behind.
    args.output.mkdir(parents=True, exist_ok=True)
    remove_abandoned_parts([args.output])
    beside = args.output / part_name()
    beside.mkdir()
    try:
        (beside / "path.png").write_bytes(picture_png(search_picture(found)))
        (beside / "haze.png").write_bytes(map_png(found.haze))
        _write_restored(beside / restored.name, scene, restorer)
        (beside / "report.json").write_bytes(to_json(account))
        for target in targets:
            move_into_place(beside / target.name, target)
    except OSError as error:
        raise FileError(
            f"{args.output} cannot be written ({error.strerror or error}); choose another place"
        ) from error
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    if not args.quiet:
        for note in [*scene.notes, *_all_around(scene)]:
            print(f"{args.scene}: {note}", file=sys.stderr)
        windows = account["windows"]
        print(
            f"{args.scene} -> {args.output}: {windows['read']} of {windows['total']} windows read, "
            f"{windows['recognised']} recognised as hazy and restored; {account['ended']}; {searched:.1f} s",
            file=sys.stderr,
        )


def _check(args: argparse.Namespace, targets: list[Path]) -> None:
    """Refuse what cannot work before anything is loaded."""
    if not args.scene.is_file():
        remedy = (
            "it is a folder; name one picture"
            if args.scene.is_dir()
            else "there is no such file; check the path"
        )
        raise FileError(f"{args.scene}: {remedy}")
    existing = [path for path in targets if os.path.lexists(path)]
    if any(path.resolve() == args.scene.resolve() for path in targets):
        raise FileError(f"{args.scene} would be written over; name another folder with -o")
    if args.output.exists() and not args.output.is_dir():
        raise FileError(f"{args.output} is a file; -o names a folder")
    if existing and not args.overwrite:
        raise FileError(f"{existing[0]} exists; --overwrite replaces it")
    check_writable(targets)


def _all_around(scene: PictureScene | TiffScene) -> list[str]:
    """What is to be said of a panorama."""
    from clairvoy.imaging.panorama import panorama_of
    from clairvoy.imaging.scenes import PictureScene

    pixels: np.ndarray | None
    if isinstance(scene, PictureScene):
        pixels, packet = scene.picture.pixels, scene.picture.metadata.xmp
    else:
        pixels, packet = scene.thumbnail(), scene.metadata.xmp
    if pixels is None or panorama_of(pixels, packet) is None:
        return []
    return ["is a panorama and was searched flat, its ends apart; 'clairvoy clear' restores it as a sphere"]


def _suffix(scene: Path) -> str:
    suffix = scene.suffix.lower()
    return suffix if suffix in WRITTEN_SUFFIXES else WRITTEN_AS.get(READ_SUFFIXES.get(suffix, "PNG"), ".png")


def _account(
    args: argparse.Namespace, scene: PictureScene | TiffScene, found: SearchedScene, seconds: float
) -> dict[str, Any]:
    """What was read and found, for JSON."""
    from clairvoy.imaging.scenes import TiffScene
    from clairvoy.searching.glimpse import STAY

    search = found.search
    rows, cols = search.visited.shape
    recognised = search.recognised
    if search.finished:
        ended = "the agent was done"
    elif search.read >= max(1, round(args.budget * rows * cols)):
        ended = "the budget of windows was spent"
    else:
        ended = "the budget of steps was spent"
    return {
        "scene": str(args.scene),
        "size": [scene.height, scene.width],
        "grid": [rows, cols],
        "read_by_windows": isinstance(scene, TiffScene),
        "thumbnail": found.used_thumbnail,
        "budget": args.budget,
        "windows": {
            "total": rows * cols,
            "read": search.read,
            "recognised": int(recognised.sum()),
            "read_part": search.read / (rows * cols),
        },
        "steps": {
            "total": len(search.path),
            "moves": sum(action != STAY for _, _, action in search.path),
            "look_ahead": search.looked_ahead,
        },
        "ended": ended,
        "haze_part": float(recognised.mean()),
        "tau": found.tau,
        "airlight": [round(float(value), 4) for value in found.airlight.flatten()],
        "recognised": [[int(edge) for edge in box] for box in found.boxes[recognised]],
        "path": [list(step) for step in search.path],
        "strength": args.strength,
        "weights": Path(args.weights).stem,
        "seconds": seconds,
    }


def _write_restored(path: Path, scene: PictureScene | TiffScene, restorer: WindowRestorer) -> None:
    """Write the scene with its recognised windows restored; a TIFF that is read by windows is written so too."""
    from clairvoy.imaging import files
    from clairvoy.imaging.scenes import PictureScene, restored_picture, write_scene

    if isinstance(scene, PictureScene):
        files.write(path, restored_picture(scene, restorer), scene.picture)
    else:
        write_scene(path, scene, restorer)


def _grid(text: str) -> tuple[int, int]:
    parts = text.lower().split("x")
    if len(parts) > 2 or not all(part.isdigit() and int(part) > 0 for part in parts):
        raise argparse.ArgumentTypeError(f"{text} is no grid; give ROWSxCOLS such as 16x24, or one number")
    return int(parts[0]), int(parts[1]) if len(parts) == 2 else 0


def _budget(text: str) -> float:
    try:
        value = fraction(text)
    except argparse.ArgumentTypeError:
        value = 0.0
    if value == 0:
        raise argparse.ArgumentTypeError(f"{text} is no part of the windows; give 0.3 or 30%, at most 1")
    return value
