"""A visit of the page in Chromium, pictures for it, and what the command line makes of them."""

from __future__ import annotations

import io
import re
from base64 import b64decode

import numpy as np
from PIL import Image

from clairvoy.apps.cli import main

WAIT_MS = 120_000


def hazy(height=220, width=330, seed=0):
    """A view into haze that the released weights recognise, (H, W, 3) uint8."""
    rng = np.random.default_rng(seed)
    v, u = np.mgrid[0:height, 0:width]
    depth = 3.0 * (1 - v / height)
    hills = 90 + 60 * np.sin(u / 11 + 3 * np.sin(v / 23)) + rng.normal(0, 12, (height, width))
    scene = hills[..., None] * (0.8, 1.0, 0.6)
    t = np.exp(-depth)[..., None]
    return (scene * t + np.array([205, 210, 218]) * (1 - t)).clip(0, 255).round().astype(np.uint8)


def file_of(pixels, kind="PNG", **options):
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, kind, **options)
    return file.getvalue()


class Visit:
    """A visit of the page: what a person does there, and what went wrong."""

    def __init__(self, browser, address, **options):
        from playwright.sync_api import expect

        self.expect = expect
        self.context = browser.new_context(accept_downloads=True, **options)
        self.page = self.context.new_page()
        self.faults, self.requests, self.holds = [], [], None
        self.page.on("pageerror", lambda error: self.faults.append(str(error)))
        self.page.on("console", lambda said: said.type == "error" and self.faults.append(said.text))
        self.context.on("request", lambda request: self.requests.append(request.url))
        self.page.goto(address)
        self.page.wait_for_selector("#started:not([hidden])")

    def choose(self, data, name="foggy.png", kind="image/png"):
        """Open a file, if it is not the one that is open."""
        if self.holds == (data, name) and self.text("#fault") == "":
            return
        self.holds = data, name
        self.page.set_input_files("#file", {"name": name, "mimeType": kind, "buffer": data})
        self.wait()

    def drop(self, data, name, kind):
        """Let a file fall on the page, by the events that a browser makes of it."""
        self.holds = None
        self.page.evaluate(
            """([bytes, name, type]) => {
                const files = new DataTransfer();
                files.items.add(new File([Uint8Array.from(bytes)], name, {type}));
                document.body.dispatchEvent(new DragEvent("drop", {dataTransfer: files, bubbles: true, cancelable: true}));
            }""",
            [list(data), name, kind],
        )
        self.wait()

    def wait(self):
        self.page.wait_for_selector("#save:not([disabled]), #fault:not(:empty)", timeout=WAIT_MS)

    def text(self, selector):
        return self.page.inner_text(selector)

    def says(self, selector, text):
        """Wait until something begins with a text."""
        self.expect(self.page.locator(selector)).to_have_text(
            re.compile(f"^{re.escape(text)}"), timeout=WAIT_MS
        )

    def shown(self, canvas="after"):
        """Pixels of a canvas, (H, W, 3)."""
        url = self.page.evaluate("id => document.getElementById(id).toDataURL()", canvas)
        with Image.open(io.BytesIO(b64decode(url.partition(",")[2]))) as picture:
            return np.asarray(picture)[..., :3]

    def change(self, selector, value):
        """Move a slider; gives the picture that follows."""
        before = self.shown()
        self.page.fill(selector, value)
        for _ in range(600):
            now = self.shown()
            if (now != before).any():
                return now.astype(int)
            self.page.wait_for_timeout(50)
        raise AssertionError(f"{selector} changes nothing")

    def save(self, form):
        self.page.select_option("#format", form)
        with self.page.expect_download(timeout=WAIT_MS) as download:
            self.page.click("#save")
        return download.value.path().read_bytes(), download.value.suggested_filename


def by_command_line(folder, data, *options):
    """What `clairvoy clear` makes of a file, as an array."""
    (folder / "before.png").write_bytes(data)
    after = folder / "after.png"
    assert main(["clear", str(folder / "before.png"), "-o", str(after), "--overwrite", *options]) == 0
    return pixels_of(after.read_bytes())


def pixels_of(data):
    with Image.open(io.BytesIO(data)) as picture:
        return np.asarray(picture).astype(int)
