"""Which bands are colours."""

import pytest

from clairvoy.errors import FileError, SettingsError
from clairvoy.imaging.rasters.colour_bands import colour_bands

NONE = (None,) * 9


@pytest.mark.parametrize(
    ("interpretations", "descriptions", "bands"),
    [
        (("red", "green", "blue"), NONE, (1, 2, 3)),
        (("alpha", "blue", "green", "red"), NONE, (4, 3, 2)),
        (("gray", "undefined", "undefined", "undefined"), ("Blue", "green ", "RED", "nir"), (3, 2, 1)),
        (("gray",), NONE, (1,)),
        (("gray", "alpha"), NONE, (1,)),
    ],
)
def test_the_file_says(interpretations, descriptions, bands):
    assert colour_bands(interpretations, descriptions, "uint8") == (bands, None)


def test_the_first_three_are_taken_where_it_does_not_say_and_that_is_said():
    bands, note = colour_bands(("alpha", "gray", "undefined", "undefined", "undefined"), NONE, "uint16")
    assert bands == (2, 3, 4)
    assert "2,3,4" in note
    assert "--bands" in note


def test_the_user_says():
    assert colour_bands(("gray",) * 8, NONE, "uint16", (4, 3, 2)) == ((4, 3, 2), None)
    assert colour_bands(("gray",), NONE, "float32", (1,)) == ((1,), None)


@pytest.mark.parametrize("asked", [(1, 2), (1, 1, 2), (0, 1, 2), (1, 2, 9)])
def test_bands_that_are_not_there(asked):
    with pytest.raises(SettingsError, match="of 1 to 8"):
        colour_bands(("gray",) * 8, NONE, "uint8", asked)


@pytest.mark.parametrize(
    ("interpretations", "dtype", "said"),
    [
        (("gray",), "float32", "heights"),
        (("gray",), "int16", "--bands 1"),
        (("gray", "undefined"), "uint8", "two bands"),
    ],
)
def test_what_may_be_no_picture_is_refused(interpretations, dtype, said):
    with pytest.raises(FileError, match=said):
        colour_bands(interpretations, NONE, dtype)
