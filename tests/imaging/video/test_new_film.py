import numpy as np
import pytest

from clairvoy.errors import SettingsError
from clairvoy.imaging.video.new_film import mp4


def test_odd_sides_lose_a_row_and_colours_are_kept():
    av = pytest.importorskip("av")
    from io import BytesIO

    frames = [np.full((21, 33, 3), colour, np.uint8) for colour in ((200, 40, 30), (20, 180, 90))]
    with av.open(BytesIO(mp4(frames, 5))) as film:
        shown = [frame.to_ndarray(format="rgb24") for frame in film.decode(video=0)]
        assert film.streams.video[0].average_rate == 5
    assert [picture.shape for picture in shown] == [(20, 32, 3)] * 2
    for picture, wanted in zip(shown, frames, strict=True):
        np.testing.assert_allclose(picture.mean(axis=(0, 1)), wanted[0, 0], atol=4)


def test_no_frames_and_too_small_ones_are_refused():
    with pytest.raises(SettingsError, match="no frames"):
        mp4([], 5)
    with pytest.raises(SettingsError, match="33 x 1"):
        mp4([np.zeros((1, 33, 3), np.uint8)], 5)
