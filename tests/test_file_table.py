"""The tables of docs/files.md are what the script finds today."""

import shutil
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


@pytest.mark.skipif(find_spec("pi_heif") is None, reason="a row of the table needs clairvoy[heic]")
def test_the_document_says_what_is_so(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "path", [*sys.path, str(ROOT / "benchmarks")])
    import file_table

    copy = tmp_path / "files.md"
    shutil.copy(ROOT / "docs" / "files.md", copy)
    assert file_table.main(["--write", str(copy)]) == 0
    assert copy.read_text() == (ROOT / "docs" / "files.md").read_text()
