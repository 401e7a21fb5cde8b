"""Whether a picture is a panorama, and which part of the sphere it shows."""

import dataclasses
import math

import numpy as np
import pytest

from clairvoy.imaging.formats import xmp
from clairvoy.imaging.haze import add_haze
from clairvoy.imaging.panorama import WHOLE, Panorama, Viewpoint, panorama_of, viewpoint_of
from clairvoy.imaging.synthesis.panoramas import render_panorama

SPACE = "http://ns.google.com/photos/1.0/panorama/"
WHAT_IT_IS = {
    "ProjectionType": "equirectangular",
    "FullPanoWidthPixels": 2000,
    "FullPanoHeightPixels": 1000,
    "CroppedAreaImageWidthPixels": 2000,
    "CroppedAreaImageHeightPixels": 600,
    "CroppedAreaLeftPixels": 0,
    "CroppedAreaTopPixels": 250,
}


def packet(said, prefix="GPano", as_elements=False):
    """An XMP packet that says so, as attributes or as elements."""
    if as_elements:
        body = "".join(f"<{prefix}:{k}>{v}</{prefix}:{k}>" for k, v in said.items())
        return f'<rdf:Description xmlns:{prefix}="{SPACE}">{body}</rdf:Description>'.encode()
    body = " ".join(f'{prefix}:{k}="{v}"' for k, v in said.items())
    return f'<rdf:Description xmlns:{prefix}="{SPACE}" {body}/>'.encode()


def ring(height=200, width=400, *, narrows=(True, True)):
    """A picture whose ends fit together, and whose rows narrow to one place at either pole, or do not."""
    angle = 2 * np.pi * (np.arange(width) + 0.5) / width
    row = 60 * np.sin(angle) + 30 * np.cos(9 * angle)
    latitude = np.pi / 2 - (np.arange(height) + 0.5) / height * np.pi
    up, down = (np.cos(latitude) if there else np.ones(height) for there in narrows)
    across = np.where(latitude > 0, up, down)
    picture = 128 + across[:, None, None] * row[None, :, None]
    return np.repeat(picture, 3, 2).astype(np.uint8)


@pytest.mark.parametrize("as_elements", [True, False])
@pytest.mark.parametrize("prefix", ["GPano", "pano"])
def test_properties_are_read_in_either_form(prefix, as_elements):
    said = packet(WHAT_IT_IS, prefix, as_elements)
    assert xmp.values(said, SPACE.encode()) == {k: str(v) for k, v in WHAT_IT_IS.items()}
    assert xmp.values(said, b"http://elsewhere/") == {}


def test_what_a_file_says_counts():
    found = panorama_of(np.zeros((60, 200, 3), np.uint8), packet(WHAT_IT_IS))
    assert found.closed
    np.testing.assert_allclose(
        [found.top, found.bottom, found.across], [math.pi / 4, -math.pi * 0.35, 2 * math.pi]
    )
    half = WHAT_IT_IS | {"CroppedAreaImageWidthPixels": 1000, "CroppedAreaLeftPixels": 500}
    found = panorama_of(np.zeros((60, 100, 3), np.uint8), packet(half))
    assert not found.closed
    assert found.across == pytest.approx(math.pi)


@pytest.mark.parametrize(
    "changed",
    [
        {"ProjectionType": "cylindrical"},
        {"FullPanoHeightPixels": 500},  # less than is shown
        {"CroppedAreaTopPixels": -3},
        {"CroppedAreaImageHeightPixels": 300},  # of another shape than the picture
        {"FullPanoWidthPixels": "many"},
        {"FullPanoWidthPixels": "nan"},
    ],
)
def test_what_does_not_fit_is_not_believed(changed):
    assert panorama_of(ring(), packet(WHAT_IT_IS | changed)) is None


def test_a_file_that_says_panorama_and_no_more_shows_all():
    said = packet({"ProjectionType": "equirectangular"})
    assert panorama_of(np.zeros((50, 100, 3), np.uint8), said) == WHOLE
    assert panorama_of(np.zeros((50, 90, 3), np.uint8), said) is None


def test_without_a_word_the_shape_and_the_ends_decide():
    assert panorama_of(ring()) == WHOLE
    assert panorama_of(ring().astype(np.uint16) * 257) == WHOLE
    assert panorama_of(ring() / np.float32(255)) == WHOLE
    assert panorama_of(ring(199)) is None
    assert panorama_of(ring(100, 200)) is None  # too small to tell
    assert panorama_of(np.ascontiguousarray(ring(200, 800)[:, :400])) is None  # half a ring does not close


def test_every_pole_is_one_place():
    assert panorama_of(ring(narrows=(False, True))) is None
    assert panorama_of(ring(narrows=(True, False))) is None
    assert panorama_of(ring(narrows=(False, False))) is None
    # A pole of one colour, such as a cover of the tripod, narrows too.
    covered = ring()
    covered[-20:] = 0
    assert panorama_of(covered) == WHOLE


def test_light_that_leans_across_a_pole_is_no_matter():
    # All rows next to the pole vary alike, in one wave, while there is fine structure at the horizon.
    leaning = ring().astype(np.float32)
    latitude = np.pi / 2 - (np.arange(200) + 0.5) / 200 * np.pi
    angle = 2 * np.pi * (np.arange(400) + 0.5) / 400
    leaning += (30 * np.cos(angle)[None] * (np.abs(latitude) > 1.2)[:, None])[..., None]
    assert panorama_of(leaning / 255) == WHOLE


def test_rendered_panoramas_pass_for_what_they_are_and_their_middles_do_not():
    rendered, distances = zip(
        *(render_panorama(128, np.random.default_rng(seed)) for seed in range(3)), strict=True
    )
    assert [panorama_of(one) for one in rendered] == [WHOLE] * 3
    for clear, distance in zip(rendered, distances, strict=True):
        t = np.exp(-distance / np.median(distance))[..., None]
        assert panorama_of(add_haze(clear / np.float32(255), t, 0.8).astype(np.float32)) == WHOLE
    # The belt around the horizon closes as the whole does, but it shows no pole.
    belts = [np.ascontiguousarray(one[48:80].repeat(4, axis=0)) for one in rendered]
    assert [panorama_of(one) for one in belts] == [None] * 3


def test_how_the_camera_stood_and_where_to_look_first():
    said = {
        "InitialViewHeadingDegrees": "120", "PoseHeadingDegrees": "30.0", "InitialViewPitchDegrees": -10,
        "PosePitchDegrees": "5", "PoseRollDegrees": "-3",
    }  # fmt: skip
    found = viewpoint_of(packet(said))
    expected = Viewpoint(math.radians(90), math.radians(-10), math.radians(5), math.radians(-3))
    assert dataclasses.astuple(found) == pytest.approx(dataclasses.astuple(expected))
    # A camera that knows north says nothing of where to look.
    assert viewpoint_of(packet({"PoseHeadingDegrees": 30, "PosePitchDegrees": "level"})) == Viewpoint()
    assert viewpoint_of(packet({"PoseRollDegrees": "inf"})) == viewpoint_of(None) == Viewpoint()


def test_latitudes_are_those_of_the_middles_of_rows():
    found = Panorama(math.pi / 2, 0, math.pi).latitudes(2)
    np.testing.assert_allclose(found, [math.pi * 3 / 8, math.pi / 8])
