"""``clairvoy look PANO``: restore a panorama and write a page on which one looks around in it."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from clairvoy.apps.argument_types import count, fraction
from clairvoy.apps.look.page import Glimpse, Imagined, look_page
from clairvoy.apps.outputs import check_writable, write_bytes
from clairvoy.errors import FileError, InputError, SettingsError
from clairvoy.imaging.files import read
from clairvoy.imaging.panorama import WHOLE, panorama_of, viewpoint_of

_EPILOG = """\
The page is one file and loads nothing. Drag, arrow keys, a phone that is turned or a headset look around; a slider
goes from hazy to clear where one looks. With --model (see docs/panorama.md) it shows where an agent looked, too, and
what was imagined of the rest after each glimpse.

example:
  clairvoy look pano.jpg --page look.html
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what ``clairvoy look`` understands."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = _EPILOG
    parser.add_argument("panorama", type=Path, metavar="PANO", help="an equirectangular picture")
    parser.add_argument(
        "--page", type=Path, metavar="FILE.html", help="the page (default: NAME.look.html beside the picture)"
    )
    parser.add_argument("--overwrite", action="store_true", help="replace a page that exists")
    parser.add_argument(
        "--strength", type=fraction, default=1.0, metavar="0..1", help="how much haze to remove"
    )
    parser.add_argument("--force", action="store_true", help="restore even where no haze is recognised")
    parser.add_argument(
        "--glimpses", type=count, metavar="N", help="of the agent (default: as many as it learnt with)"
    )
    parser.add_argument(
        "--model",
        type=Path,
        metavar="FILE",
        help="an agent that looks around and imagines the rest (needs torch)",
    )
    parser.add_argument("-q", "--quiet", action="store_true", help="say nothing but errors")


def run(args: argparse.Namespace) -> int:
    """Restore, look around, write the page; return 0."""
    page: Path = args.page or args.panorama.with_suffix(".look.html")
    if args.glimpses is not None and args.model is None:
        raise SettingsError("--glimpses are an agent's; name one with --model FILE")
    if page.exists() and not args.overwrite:
        raise FileError(f"{page} is there already; use --overwrite, or name another page")
    check_writable([page])
    picture = read(args.panorama)
    panorama = panorama_of(picture.pixels, picture.metadata.xmp)
    if panorama is None:
        raise InputError(
            f"{args.panorama}: is no panorama; give one with XMP GPano, or 2:1 with ends and poles as a sphere has"
        )
    if args.model is not None and panorama != WHOLE:
        raise InputError(
            f"{args.panorama}: shows a part of the sphere; the agent needs all of it, leave out --model"
        )
    # Here and not at the top: what is wrong with arguments is found without them.
    from clairvoy.restoring.dehazer import Dehazer

    result = Dehazer.load("fast")(picture, strength=args.strength, force=args.force)
    glimpses: list[Glimpse] = []
    imagined: list[Imagined] = []
    if args.model is not None:
        from clairvoy.apps.look.agent import looked_around

        glimpses, imagined = looked_around(args.model, result.image, args.glimpses)
    text = look_page(
        args.panorama.name, panorama, picture.pixels, result.image, result.tau,
        report=result.report.to_dict(), viewpoint=viewpoint_of(picture.metadata.xmp), glimpses=glimpses, imagined=imagined,
    )  # fmt: skip
    write_bytes(page, text.encode())
    if not args.quiet:
        report = result.report
        done = f"{report.amount:.0%} of the haze taken away" if report.amount else "left as it was"
        sys.stdout.write(
            f"{args.panorama} -> {page}: {done}; haze probability {report.haze_probability:.2f}, "
            f"confidence {report.tau:.2f}\n"
        )
    return 0
