"""`clairvoy export` as a user calls it."""

import pytest

from clairvoy.apps.cli import main


@pytest.mark.slow
def test_a_file_is_written_once_and_replaced_when_asked(tmp_path, capsys):
    pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")
    path = tmp_path / "fast.onnx"
    assert main(["export", "--onnx", str(path)]) == 0
    assert "differs from PyTorch by at most" in capsys.readouterr().err
    before = path.read_bytes()
    assert main(["export", "--onnx", str(path)]) == 2
    assert "--overwrite" in capsys.readouterr().err
    assert main(["export", "--onnx", str(path), "--overwrite"]) == 0
    assert path.read_bytes() == before


def test_a_name_that_cannot_be_a_file(tmp_path, capsys):
    assert main(["export", "--onnx", str(tmp_path), "--overwrite"]) == 2
    assert "folder" in capsys.readouterr().err
    (tmp_path / "file").touch()
    assert main(["export", "--onnx", str(tmp_path / "file" / "a.onnx")]) == 2
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_missing_folder_is_made(tmp_path, monkeypatch):
    from clairvoy.restoring import onnx as onnx_export

    monkeypatch.setattr(onnx_export, "_exported", lambda module: b"")
    monkeypatch.setattr(onnx_export, "_described", lambda data, weights: b"a file")
    monkeypatch.setattr(onnx_export, "_largest_gap", lambda module, data: 0.0)
    monkeypatch.setattr(onnx_export, "find_spec", lambda name: name)
    assert main(["export", "--onnx", str(tmp_path / "new" / "a.onnx")]) == 0
    assert (tmp_path / "new" / "a.onnx").read_bytes() == b"a file"
