"""The page, written once, behind a server of files; node and Chromium where they are installed."""

from __future__ import annotations

import functools
import http.server
import json
import shutil
import subprocess
import threading
from contextlib import contextmanager
from pathlib import Path

import pytest

from clairvoy.apps.page.site import site_files

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


@pytest.fixture(scope="session")
def site(tmp_path_factory):
    """The folder of the page."""
    folder = tmp_path_factory.mktemp("site")
    for name, data in site_files().items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return folder


@pytest.fixture(scope="session")
def compute(site):
    """Call a function of compute.mjs with what JSON can hold; gives what it gives."""
    node = shutil.which("node")
    if node is None:
        pytest.skip("there is no node")
    (site / "package.json").write_text(
        '{"type": "module"}'
    )  # so that node takes .js for modules, as browsers do

    def call(name, **given):
        done = subprocess.run(
            [node, Path(__file__).with_name("compute.mjs"), site, name],
            input=json.dumps(given),
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    return call


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *args):
        pass


@contextmanager
def _serving(folder):
    """A server of the files of a folder: its address."""
    handler = functools.partial(_Quiet, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/"
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture(scope="session")
def serving():
    """A context in which a folder is served; it gives the address."""
    return _serving


@pytest.fixture(scope="session")
def address(site):
    """Where the page is served."""
    with _serving(site) as where:
        yield where


@pytest.fixture(scope="module")
def chromium():
    """A browser. No longer than for a module: where playwright's loop runs, nobody else can run one of asyncio."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if CHROMIUM is None:
        pytest.skip("there is no Chromium")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()
