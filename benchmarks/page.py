"""The page in Chromium: its size, and the time that it takes to look at a picture and to write it at full size.

    pip install playwright && apt install chromium
    python benchmarks/page.py --photograph examples/hazy/salcantay.jpg

CPU seconds are those of all of Chromium's processes, on Linux. The first picture pays for the start of the networks.
"""

from __future__ import annotations

import argparse
import functools
import gzip
import http.server
import os
import shutil
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

from PIL import Image

from clairvoy.apps.page.site import site_files

SIZES = ((640, 480), (4000, 3000))
WAIT_MS = 300_000
TICKS = os.sysconf("SC_CLK_TCK")


class Quiet(http.server.SimpleHTTPRequestHandler):
    """Writes no log."""

    def log_message(self, *args: object) -> None:
        """Nothing."""


def cpu_seconds(process: int) -> float:
    """Of a process and all below it."""
    total = 0.0
    for task in Path(f"/proc/{process}/task").glob("*/children"):
        total += sum(cpu_seconds(int(child)) for child in task.read_text().split())
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return total + (int(fields[11]) + int(fields[12])) / TICKS


def highest_rss(process: int) -> int:
    """The most memory that one process below another ever held, in bytes: that of the page's process."""
    most = 0
    for task in Path(f"/proc/{process}/task").glob("*/children"):
        for child in task.read_text().split():
            said = Path(f"/proc/{child}/status").read_text()
            held = (
                int(said.partition("VmHWM:")[2].split()[0]) * 1024
                if "--type=renderer" in _command(child)
                else 0
            )
            most = max(most, held, highest_rss(int(child)))
    return most


def _command(process: str) -> str:
    return Path(f"/proc/{process}/cmdline").read_text()


def timed(times: int, begin: Callable[[], object], end: Callable[[], object]) -> tuple[float, float]:
    """Least seconds, and CPU seconds, of several tries."""
    told = []
    for _ in range(times):
        started, used = time.perf_counter(), cpu_seconds(os.getpid())
        begin()
        end()
        told.append((time.perf_counter() - started, cpu_seconds(os.getpid()) - used))
    return min(told)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--photograph", type=Path, required=True)
    parser.add_argument("--times", type=int, default=3)
    parser.add_argument("--browser", default=shutil.which("chromium"))
    args = parser.parse_args()
    from playwright.sync_api import sync_playwright

    files = site_files()
    print(f"size by gzip: {sum(len(gzip.compress(data)) for data in files.values()) / 1e6:.2f} MB")
    with tempfile.TemporaryDirectory() as name, sync_playwright() as driver:
        folder = Path(name)
        for file, data in files.items():
            (folder / file).parent.mkdir(parents=True, exist_ok=True)
            (folder / file).write_bytes(data)
        handler = functools.partial(Quiet, directory=name)
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        browser = driver.chromium.launch(executable_path=args.browser, args=["--no-sandbox"])
        page = browser.new_page(service_workers="block", accept_downloads=True)
        page.goto(f"http://127.0.0.1:{server.server_port}/")
        page.wait_for_selector("#started:not([hidden])")
        photograph = Image.open(args.photograph).convert("RGB")

        def wait() -> None:
            page.wait_for_selector("#save:not([disabled])", timeout=WAIT_MS)

        def save() -> None:
            with page.expect_download(timeout=WAIT_MS) as download:
                page.click("#save")
            download.value.path()

        first = True
        for size in SIZES:
            path = str(folder / f"{size[0]}.jpg")
            photograph.resize(size, Image.Resampling.LANCZOS).save(path, quality=92)
            if first:
                told = timed(1, lambda path=path: page.set_input_files("#file", path), wait)
                print(f"start and first picture: {told[0]:.2f} s, CPU {told[1]:.2f} s")
                first = False
            told = timed(args.times, lambda path=path: page.set_input_files("#file", path), wait)
            print(f"{size[0] * size[1] / 1e6:.1f} Mpx, open and show: {told[0]:.2f} s, CPU {told[1]:.2f} s")
            for form in ("jpg", "png"):
                page.select_option("#format", form)
                told = timed(args.times, save, wait)
                print(
                    f"{size[0] * size[1] / 1e6:.1f} Mpx, save as {form}: {told[0]:.2f} s, CPU {told[1]:.2f} s"
                )
            print(
                f"{size[0] * size[1] / 1e6:.1f} Mpx, most memory of the page so far: {highest_rss(os.getpid()) / 1e6:.0f} MB"
            )
        browser.close()
        server.shutdown()


if __name__ == "__main__":
    main()
