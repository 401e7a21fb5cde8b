"""``clairvoy page -o site/``: write the page into a folder, ready for any host of files."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from clairvoy.apps.outputs import check_writable, write_bytes
from clairvoy.apps.page.site import site_files
from clairvoy.errors import FileError

EPILOG = """
Any host of files will do: a folder of a web server, or the pages of a code host. To look at it here:
  python -m http.server --bind 127.0.0.1 --directory site
A picture that is dropped on the page is restored in the browser; nothing of it leaves the computer. docs/page.md has more.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what ``clairvoy page`` understands."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = EPILOG
    parser.add_argument(
        "-o", "--output", required=True, type=Path, metavar="FOLDER", help="where the files go"
    )
    parser.add_argument(
        "--weights", default="fast", metavar="NAME|FILE", help="weights that the page restores with (fast)"
    )
    parser.add_argument("--overwrite", action="store_true", help="replace files that are there")


def run(args: argparse.Namespace) -> int:
    """Write the page; return 0."""
    folder: Path = args.output
    if folder.exists() and not folder.is_dir():
        raise FileError(f"{folder} is a file; name a folder for the page")
    files = site_files(args.weights)
    paths = {folder / name: data for name, data in files.items()}
    there = [path for path in paths if path.exists()]
    if there and not args.overwrite:
        raise FileError(f"{there[0]} is there already; use --overwrite, or another folder")
    check_writable(paths)
    for path, data in paths.items():
        write_bytes(path, data)
    size = sum(len(data) for data in files.values())
    sys.stdout.write(f"{folder}: {len(files)} files, {size / 1e6:.1f} MB; open it through a web server:\n")
    sys.stdout.write(f"  python -m http.server --bind 127.0.0.1 --directory {folder}\n")
    return 0
