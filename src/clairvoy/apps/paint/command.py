"""``clairvoy paint``: a photograph as strokes, found one by one and then improved together."""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from math import inf, log10
from pathlib import Path

import numpy as np

from clairvoy.apps.argument_types import count, fraction
from clairvoy.apps.outputs import check_writable, write_bytes
from clairvoy.apps.paint.preview import Preview
from clairvoy.apps.paint.results import check_suffix, encoded
from clairvoy.apps.progress import Progress
from clairvoy.errors import FileError, SettingsError
from clairvoy.imaging.files import read
from clairvoy.imaging.picture import Picture
from clairvoy.imaging.video.reading import video_library
from clairvoy.painting.ink import InkSearch
from clairvoy.painting.learnt import Learnt
from clairvoy.painting.painter import Painter, PainterSettings
from clairvoy.painting.painting import PAPER, Painting
from clairvoy.painting.palette import colour_of, colours_of, fitted_palette
from clairvoy.painting.plotter import PlotterSettings, layers_of, longer_side, plotted, sheet_of
from clairvoy.painting.search import Search, SearchSettings
from clairvoy.painting.shapes import FAMILIES, families_of, pen_lines
from clairvoy.painting.target import target_of

EFFORTS = {
    "quick": SearchSettings(candidates=128, climbers=2, rounds=12, changes=32, sweeps=1),
    "normal": SearchSettings(changes=32, sweeps=2),
    "long": SearchSettings(candidates=1024, climbers=12, rounds=48, changes=32, sweeps=6),
}
"""How hard is looked, by name."""
PRICES = {"quick": 4e-4, "normal": 1e-4, "long": 2e-5}
"""Of a round of climbing, where an agent says when it is enough; see `PainterSettings.price`."""
_MOST_PNG = 16_384
_TRIES = 4
"""Searches without a result that end a painting early."""
_EPILOG = """\
examples:
  clairvoy paint photo.jpg -o painting.svg
  clairvoy paint photo.jpg --strokes 300 --shape ellipses -o big.png --size 4000 --film how.gif
  clairvoy paint photo.jpg --shape brush,lines --palette "#222,#d33,#fc6" --ground white -o poster.svg
  clairvoy paint photo.jpg --pens black,#d33,#06c --hatch --sheet a3 -o plot.svg
  clairvoy paint logo.png --ground transparent -o logo.svg --page logo.html
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what ``clairvoy paint`` understands."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = _EPILOG
    parser.add_argument(
        "input", metavar="IN", help="a photograph of any kind that `clear` reads, or - for a pipe"
    )

    add = parser.add_argument_group("what is painted").add_argument
    add("--strokes", type=count, default=100, metavar="N", help="how many (default: %(default)s)")
    add(
        "--shape",
        default="triangles",
        metavar="NAMES",
        help=f"{', '.join(FAMILIES)}, several joined by commas, or mixed (default: %(default)s)",
    )
    add("--opacity", type=fraction, default=0.5, metavar="0..1", help="of each stroke (default: %(default)s)")
    add(
        "--ground",
        default="auto",
        metavar="COLOUR",
        help="below the strokes: a colour, transparent (painted for white paper), or auto, the picture's mean "
        "(default: %(default)s)",
    )
    colours = parser.add_mutually_exclusive_group()
    colours.add_argument(
        "--palette", metavar="COLOURS", help="only these, joined by commas, such as '#222,#d33,teal'"
    )
    colours.add_argument(
        "--colours", type=count, metavar="N", help="at most so many, chosen to fit the picture"
    )
    add("--effort", choices=list(EFFORTS), default="normal", help="how hard is looked (default: %(default)s)")
    add(
        "--detail",
        type=count,
        metavar="PIXELS",
        help="longer side of what the search looks at, 16 to 512 (default: 64 for 100 strokes, more for more)",
    )
    add(
        "--painter",
        type=Path,
        metavar="FILE",
        help="let a generator propose changes and an agent say when it is enough: what `clairvoy train paint` wrote",
    )
    add(
        "--seed",
        type=int,
        default=0,
        help="of all randomness: the same again gives the same file (default: 0)",
    )

    add = parser.add_argument_group("for a pen plotter").add_argument
    add(
        "--pens",
        metavar="COLOURS",
        help="pens, joined by commas, such as black,#d33,#06c: OUT.svg gets a layer for each, in millimetres; with "
        "--shape lines each stroke is one straight line of the pen",
    )
    add(
        "--hatch",
        action="store_true",
        help="hatch the strokes, as dense as they are opaque; else their outlines",
    )
    add("--pen-width", type=float, default=0.5, metavar="MM", help="(default: %(default)s)")
    add(
        "--sheet",
        default="a4",
        metavar="SIZE",
        help="a5, a4, a3, letter or millimetres, 200x300 (default: a4)",
    )
    add("--margin", type=float, default=15.0, metavar="MM", help="on each side (default: %(default)s)")
    add(
        "--refill",
        type=float,
        default=0.0,
        metavar="METRES",
        help="divide a layer after so many metres of line",
    )

    add = parser.add_argument_group("what is written").add_argument
    add("-o", "--output", type=Path, required=True, metavar="OUT", help="the painting, .svg or .png")
    add("--png", type=Path, metavar="FILE.png", help="a PNG as well")
    add("--size", type=count, metavar="PIXELS", help="longer side of a PNG (default: that of the photograph)")
    add("--film", type=Path, metavar="FILE.gif|mp4", help="how it came about (.mp4: extra `video`)")
    add("--page", type=Path, metavar="FILE.html", help="a page with a slider through the strokes")
    add("--overwrite", action="store_true", help="replace files that exist")
    add("--preview", action="store_true", help="show the canvas in the terminal while it is painted")
    add("-q", "--quiet", action="store_true", help="say nothing but errors")


def run(args: argparse.Namespace) -> int:
    """Paint; 0 when all files are written.

    Raises
    ------
    ClairvoyError
        The photograph cannot be read, a setting makes no sense, a file cannot be written.
    """
    outputs = _outputs(args)
    if not 16 <= _detail(args) <= 512:
        raise SettingsError(f"--detail is {args.detail}; give 16 to 512 pixels")
    if args.seed < 0:
        raise SettingsError(f"--seed is {args.seed}; give 0 or more")
    if args.film is not None and args.film.suffix.lower() == ".mp4":
        video_library()  # says what is missing before any work
    plotter = _plotter(args)
    picture = read(sys.stdin.buffer.read() if args.input == "-" else args.input)
    longer = args.size or max(picture.pixels.shape[:2])
    if longer > _MOST_PNG and any(path.suffix.lower() == ".png" for path in outputs):
        raise SettingsError(f"--size is {longer}; a PNG may have {_MOST_PNG} pixels along its longer side")
    search = _search(args, picture, plotter)
    progress = Progress(args.strokes + search.settings.sweeps * args.strokes, quiet=args.quiet)
    preview = Preview() if args.preview else None
    try:
        _paint(search, args.strokes, progress, preview)
    finally:
        progress.close()
    for path in outputs:
        if plotter is not None and path == args.output:
            write_bytes(path, plotted(search.painting, plotter).encode())
        else:
            write_bytes(path, encoded(search.painting, path, longer))
    if plotter is not None:
        for layer in layers_of(search.painting, plotter):
            progress.say(
                f"{layer.name}: {layer.drawn / 1000:.1f} m drawn, {layer.travelled / 1000:.1f} m with the pen up"
            )
    names = ", ".join(map(str, outputs))
    psnr = -10.0 * log10(search.error) if search.error > 0 else inf
    progress.say(f"{names}: {len(search.painting.strokes)} strokes, {psnr:.2f} dB at {search.scale} pixels")
    return 0


def _outputs(args: argparse.Namespace) -> list[Path]:
    """Files to write; refused before any work where one cannot be."""
    named = {"--output": args.output, "--png": args.png, "--film": args.film, "--page": args.page}
    outputs = {option: path for option, path in named.items() if path is not None}
    for option, path in outputs.items():
        check_suffix(option, path)
    paths = list(outputs.values())
    taken = [path.resolve() for path in paths]
    if len(set(taken)) < len(taken):
        raise FileError(f"{paths[0]}: two results would be written to one file; give each a name of its own")
    if args.input != "-" and Path(args.input).resolve() in taken:
        raise FileError(f"{args.input} is the photograph to read, which is kept; name another output")
    existing = [path for path in paths if path.exists() and not path.is_dir()]
    if existing and not args.overwrite:
        raise FileError(f"{existing[0]} exists; --overwrite replaces it")
    check_writable(paths)
    return paths


def _plotter(args: argparse.Namespace) -> PlotterSettings | None:
    """What is asked for of a pen plotter; None where no pens are named."""
    if args.pens is None:
        if args.hatch or args.refill:
            raise SettingsError("--hatch and --refill are for pens; name them, such as --pens black,#d33")
        return None
    if args.palette is not None or args.colours is not None:
        raise SettingsError("--pens are the colours that there are; leave --palette and --colours out")
    if args.painter is not None:
        raise SettingsError("--painter has not learnt to draw with ink; leave it out, or --pens")
    if args.output.suffix.lower() != ".svg":
        raise SettingsError(f"-o {args.output}: a plotter draws lines; name a file that ends with .svg")
    return PlotterSettings(sheet_of(args.sheet), args.margin, args.pen_width, args.hatch, args.refill)


def _detail(args: argparse.Namespace) -> int:
    """Pixels along the longer side of what is looked at: more strokes are smaller ones, and need more of them."""
    return int(args.detail or np.clip(round(6.4 * args.strokes**0.5), 48, 256))


def _search(args: argparse.Namespace, picture: Picture, plotter: PlotterSettings | None) -> Search:
    settings, families, detail = (
        replace(EFFORTS[args.effort], opacity=args.opacity),
        families_of(args.shape),
        _detail(args),
    )
    if plotter is not None and args.shape == "lines":
        # A pen's line is opaque and as wide as the pen: looked at so closely that it covers half a pixel. Improving them all
        # again would take as long as drawing them.
        height, width = picture.pixels.shape[:2]
        longer = longer_side((width, height), plotter)
        families = (pen_lines(plotter.pen_width / 2 / longer),)
        settings = replace(settings, opacity=1.0, sweeps=0)
        detail = args.detail or int(np.clip(longer / plotter.pen_width / 2, 64, 256))
    target = target_of(picture, detail)
    named = args.palette or args.pens
    palette = colours_of(named) if named is not None else None
    if args.colours is not None:
        palette = fitted_palette(target, args.colours, args.seed)
    ground: np.ndarray | None
    if args.pens is not None:
        ground = np.array(PAPER)
    elif args.ground == "transparent":
        ground = None
    elif args.ground != "auto":
        ground = colour_of(args.ground)
    else:
        ground = (
            target.mean if palette is None else palette[((palette - target.mean) ** 2).sum(axis=1).argmin()]
        )
    painting = Painting(target.size, ground, ink=args.pens is not None)
    rng = np.random.default_rng(args.seed)
    if painting.ink:
        return InkSearch(target, painting, settings, rng, families, palette)
    given = target, painting, settings, rng, families, palette
    if args.painter is None:
        return Search(*given)
    looks = PainterSettings(price=PRICES[args.effort])
    return Painter(Learnt.load(args.painter), looks, *given)


def _paint(search: Search, strokes: int, progress: Progress, preview: Preview | None) -> None:
    """Find the strokes, then improve them."""
    for number in range(strokes):
        progress.start(f"stroke {number + 1}")
        if not any(search.add() for _ in range(_TRIES)):
            break  # no shape that is found makes it better any more
        progress.finish()
        if preview is not None:
            preview.show(search.canvas)
    for sweep in range(search.settings.sweeps):
        for number in search.sweep():
            progress.start(f"improving stroke {number + 1}, round {sweep + 1}")
            progress.finish()
        if preview is not None:
            preview.show(search.canvas)
