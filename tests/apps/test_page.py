"""`clairvoy page`: the files that it writes, and what it refuses."""

from __future__ import annotations

import gzip
import hashlib
import json
import lzma
import re

import pytest

from clairvoy.apps.cli import main
from clairvoy.apps.page.constants import constants_of
from clairvoy.apps.page.site import GRAPHS, STATIC, site_files
from clairvoy.restoring.noise import VISIBLE
from clairvoy.restoring.released import read_released

VENDOR = STATIC / "vendor/onnxruntime-web"


@pytest.fixture(scope="module")
def files():
    return site_files()


def test_it_holds_the_networks_and_fits_on_a_phone(files):
    for graph in GRAPHS:
        assert gzip.decompress(files[f"models/{graph}.onnx.gz"]) == read_released("fast").graph(graph)
    assert not [name for name in files if name.endswith(".xz")]
    assert sum(len(gzip.compress(data)) for data in files.values()) < 8e6


def test_the_same_files_every_time(files):
    assert site_files() == files


def test_constants_come_from_the_modules(files):
    text = files["constants.js"].decode()
    told = json.loads(text[text.index("{") : text.rindex(";")])
    assert told == json.loads(json.dumps(constants_of(read_released("fast"))))
    assert told["noise"]["VISIBLE"] == VISIBLE
    assert told["colours"]["confidence"][0] == [68, 1, 84]  # viridis begins with a dark violet


def test_a_page_of_files_knows_of_no_server(files):
    assert files["server_limits.js"].decode().endswith("export default null;\n")
    served = site_files(server={"bytes": 1})
    assert served["server_limits.js"].endswith(b'export default {"bytes":1};\n')
    changed = {name for name in files if served[name] != files[name]}
    assert changed == {
        "server_limits.js",
        "service-worker.js",
    }  # the latter, so that what is kept is exchanged


def test_modules_import_files_that_are_there(files):
    for name, data in files.items():
        if not name.endswith(".js") or name.startswith("vendor/"):
            continue
        folder = name.rpartition("/")[0]
        for target in re.findall(r'from "(\.[^"]+)"', data.decode()):
            parts = [part for part in f"{folder}/{target}".split("/") if part and part != "."]
            while ".." in parts:
                at = parts.index("..")
                parts[at - 1 : at + 1] = []
            assert "/".join(parts) in files, f"{name} imports {target}"


def test_the_page_names_no_other_place(files):
    """Nothing is loaded from elsewhere; addresses stand in licences and in the names of SVG's elements only."""
    for name, data in files.items():
        if name.startswith("vendor/") or not name.endswith((".js", ".html", ".css", ".json")):
            continue
        assert "://" not in data.decode(), name
    policy = re.search(r'Content-Security-Policy" content="([^"]+)"', files["index.html"].decode())
    assert policy is not None
    assert "default-src 'none'" in policy[1]
    assert "connect-src 'self'" in policy[1]


def test_every_file_is_kept_for_offline_use(files):
    version, names = re.search(
        r'serveOffline\("(\w+)", (\[.*\])\);', files["service-worker.js"].decode()
    ).groups()
    assert set(json.loads(names)) == set(files) - {"service-worker.js"}
    assert len(version) == 16


def test_other_files_are_another_version(files, tmp_path, monkeypatch):
    monkeypatch.setattr("clairvoy.apps.page.constants.__version__", "9.9")
    assert site_files()["service-worker.js"] != files["service-worker.js"]


def test_both_languages_say_everything():
    english, chinese = (
        json.loads((STATIC / f"texts/{name}.json").read_text("utf-8")) for name in ("en", "zh")
    )
    assert english.keys() == chinese.keys()
    assert len(english["limits"]) == len(chinese["limits"])
    for name, text in english.items():
        values = set(re.findall(r"\{\w+\}", str(text)))
        assert values == set(re.findall(r"\{\w+\}", str(chinese[name]))), name
    code = "".join(path.read_text("utf-8") for path in (*STATIC.glob("page/*.js"), STATIC / "index.html"))
    used = set(re.findall(r'data-text="(\w+)"', code)) | set(re.findall(r'say\("(\w+)"', code))
    assert used <= english.keys()
    assert not {name for name in english if f'"{name}"' not in code and name != "limits"}


def test_the_runtime_is_the_one_that_was_taken():
    """Name and checksum of each file, from the table in its README."""
    rows = re.findall(r"^\| `([^`]+)` \| `[^`]+` \| `(\w{64})` \|$", (VENDOR / "README.md").read_text(), re.M)
    assert len(rows) == 3
    for name, digest in rows:
        data = (VENDOR / name).read_bytes()
        assert hashlib.sha256(lzma.decompress(data) if name.endswith(".xz") else data).hexdigest() == digest
    assert "Copyright (c) Microsoft" in (VENDOR / "onnxruntime-web.LICENSE").read_text()


def test_the_command_writes_them(tmp_path, capsys, files):
    assert main(["page", "-o", str(tmp_path / "new/site")]) == 0
    written = {
        path.relative_to(tmp_path / "new/site").as_posix(): path.read_bytes()
        for path in (tmp_path / "new/site").rglob("*")
        if path.is_file()
    }
    assert written == files
    assert "http.server" in capsys.readouterr().out


def test_files_that_are_there_stay(tmp_path, capsys):
    (tmp_path / "index.html").write_text("mine")
    assert main(["page", "-o", str(tmp_path)]) == 2
    assert "--overwrite" in capsys.readouterr().err
    assert (tmp_path / "index.html").read_text() == "mine"
    assert len(list(tmp_path.iterdir())) == 1
    assert main(["page", "-o", str(tmp_path), "--overwrite"]) == 0
    assert (tmp_path / "index.html").read_text() != "mine"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [(["-o", "FILE"], "is a file"), (["-o", "new", "--weights", "none"], "no such weights")],
)
def test_what_is_refused(tmp_path, capsys, monkeypatch, arguments, says):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "FILE").touch()
    assert main(["page", *arguments]) == 2
    assert says in capsys.readouterr().err
    assert not (tmp_path / "new").exists()
