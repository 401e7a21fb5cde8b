"""One file format for all that is learnt: what is written is read, of its kind alone, and never half there."""

import json
import os

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from clairvoy._version import __version__
from clairvoy.errors import FileError, WeightsError
from clairvoy.storage.weights_file import of_part, read_weights, write_weights

KIND, REMEDY = "clairvoy-test-1", "write it again"


def test_what_is_written_is_read(tmp_path):
    path = tmp_path / "new" / "one.safetensors"
    whole = torch.arange(12.0).view(3, 4)
    tensors = {
        "a.turned": whole.T,
        "a.part": whole[1],
        "b.same": whole,
        "b.bits": torch.tensor([True, False]),
        "b.learnt": torch.nn.Parameter(torch.ones(2, dtype=torch.float16)),
        "b.none": torch.zeros(0, 3),
    }
    write_weights(path, KIND, tensors, {"notes": json.dumps({"umlaut": "ä"})})
    header, read = read_weights(path, KIND, REMEDY)
    assert json.loads(header["notes"]) == {"umlaut": "ä"}
    assert (header["format"], header["version"]) == (KIND, __version__)
    assert read.keys() == tensors.keys()
    for name, value in tensors.items():
        assert read[name].dtype == value.dtype
        assert torch.equal(read[name], value)
    assert of_part(read, "b").keys() == {"same", "bits", "learnt", "none"}
    assert load_file(path).keys() == tensors.keys()  # anybody's reader of safetensors
    assert read_weights(path, KIND, REMEDY, header_only=True).tensors == {}
    for name, array in read_weights(path, KIND, REMEDY, arrays=True).tensors.items():
        np.testing.assert_array_equal(array, tensors[name].detach().numpy())


@pytest.mark.skipif(os.name != "posix", reason="rights are of POSIX")
def test_others_may_read_what_any_new_file_lets_them_read(tmp_path):
    beside = tmp_path / "beside"
    beside.touch()
    write_weights(tmp_path / "new.safetensors", "kind-1", {"a": torch.zeros(2)})
    assert (tmp_path / "new.safetensors").stat().st_mode == beside.stat().st_mode


def test_what_is_not_of_the_kind_is_refused_with_the_remedy(tmp_path):
    other, text = tmp_path / "other.safetensors", tmp_path / "text"
    write_weights(other, "clairvoy-other-1", {"a": torch.zeros(1)})
    text.write_text("nothing")
    with pytest.raises(
        WeightsError, match=r"of format 'clairvoy-other-1', not 'clairvoy-test-1'; write it again"
    ):
        read_weights(other, KIND, REMEDY)
    for path in (text, tmp_path / "missing", tmp_path):
        with pytest.raises(WeightsError, match=f"{path.name}: cannot be read .*; write it again"):
            read_weights(path, KIND, REMEDY)
    with pytest.raises(FileError, match="cannot be read"):
        read_weights(text, KIND, REMEDY, error=FileError)
    save_file({"a": torch.zeros(1)}, tmp_path / "bare")
    with pytest.raises(WeightsError, match="of format 'none'"):
        read_weights(tmp_path / "bare", KIND, REMEDY)


def test_a_disk_that_fails_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    path = tmp_path / "one.safetensors"
    write_weights(path, KIND, {"a": torch.zeros(1)})

    def full(*_):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(FileError, match=r"one.safetensors cannot be written \(No space"):
            write_weights(path, KIND, {"a": torch.ones(1)})
    assert [entry.name for entry in tmp_path.iterdir()] == ["one.safetensors"]
    assert read_weights(path, KIND, REMEDY).tensors["a"] == 0
    with pytest.raises(FileError, match="cannot be written"):
        write_weights(path / "below", KIND, {})
