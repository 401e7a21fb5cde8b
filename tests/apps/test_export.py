"""`clairvoy export` as a user calls it."""

import numpy as np
import onnxruntime
import pytest

from clairvoy._version import __version__
from clairvoy.apps.cli import main
from clairvoy.apps.export import GRAPHS
from clairvoy.releasing.parts import load_weights
from clairvoy.releasing.save import save_weights
from clairvoy.restoring.dehazer import Dehazer
from clairvoy.restoring.released import read_released


def test_a_file_is_written_once_and_replaced_when_asked(tmp_path, capsys):
    path = tmp_path / "new" / "fast.onnx"
    assert main(["export", "--onnx", str(path)]) == 0
    assert "restoration of fast" in capsys.readouterr().err
    before = path.read_bytes()
    assert main(["export", "--onnx", str(path)]) == 2
    assert "--overwrite" in capsys.readouterr().err
    assert main(["export", "--onnx", str(path), "--overwrite"]) == 0
    assert path.read_bytes() == before


@pytest.mark.parametrize("graph", GRAPHS)
def test_any_reader_of_onnx_sees_what_it_is(graph, tmp_path):
    path = tmp_path / "a.onnx"
    assert main(["export", "--onnx", str(path), "--graph", graph]) == 0
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    about = session.get_modelmeta()
    assert about.producer_name == "clairvoy"
    assert about.custom_metadata_map == {"weights": "fast", "clairvoy": __version__}
    assert about.description.lower().startswith(graph)
    for name in [one.name for one in session.get_inputs()]:
        assert graph in ("agent", "draws") or name in GRAPHS[graph], name


def test_weights_of_ones_own_get_their_graphs(tmp_path, capsys, untrained_weights):
    plain, whole = tmp_path / "weights.safetensors", tmp_path / "mine.safetensors"
    save_weights(plain, load_weights(untrained_weights), graphs=False)
    photo = np.full((40, 50, 3), 130, np.uint8)
    assert main(["export", "--weights", str(plain), "-o", str(whole)]) == 0
    assert "differs from torch by at most" in capsys.readouterr().err
    again = Dehazer.load(untrained_weights, "cpu")(photo, force=True).image
    np.testing.assert_array_equal(Dehazer.load(whole, "cpu")(photo, force=True).image, again)
    assert main(["export", "--weights", str(plain), "-o", str(plain), "--overwrite"]) == 0
    one, other = read_released(plain), read_released(whole)
    assert one.header == other.header
    assert one.graph("perception") == other.graph("perception")


def test_a_name_that_cannot_be_a_file(tmp_path, capsys):
    assert main(["export", "--onnx", str(tmp_path), "--overwrite"]) == 2
    assert "folder" in capsys.readouterr().err
    (tmp_path / "file").touch()
    assert main(["export", "--onnx", str(tmp_path / "file" / "a.onnx")]) == 2
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
