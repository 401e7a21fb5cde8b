"""The dehazer with untrained or released parts: what must hold whatever was learnt."""

import io

import numpy as np
import pytest
import torch
from PIL import Image

from clairvoy.errors import InputError, SettingsError, WeightsError
from clairvoy.generative.density.recognition import RESTORE_FROM
from clairvoy.imaging.files import Picture, encode, read
from clairvoy.imaging.picture import UnchangingPicture
from clairvoy.releasing.parts import Parts, load_weights
from clairvoy.releasing.save import save_weights
from clairvoy.restoring.dehazer import SURE_FROM, Dehazer, clear, how_much
from clairvoy.restoring.engine import Engine


@pytest.fixture(scope="module")
def dehazer():
    return Dehazer.load("fast", "cpu")


@pytest.fixture
def photo():
    ramp = np.linspace(120, 230, 96 * 80 * 3).reshape(80, 96, 3)
    return (ramp + np.random.default_rng(0).normal(0, 4, ramp.shape)).clip(0, 255).astype(np.uint8)


def test_strength_zero_is_the_identity(dehazer, photo):
    np.testing.assert_array_equal(dehazer(photo, strength=0.0, force=True).image, photo)


@pytest.fixture
def unlimited(monkeypatch):
    """As if no picture held any noise, nor an airlight any error."""
    monkeypatch.setattr("clairvoy.restoring.dehazer.within_noise", lambda grid, level: grid)
    monkeypatch.setattr("clairvoy.restoring.dehazer.within_signal", lambda grid, picture, airlight: grid)


def test_restoration_is_the_inverse_of_the_physics_that_it_reports(dehazer, photo, unlimited):
    float_photo = photo.astype(np.float32) / 255
    result = dehazer(float_photo, force=True)
    t = result.transmission[..., None]
    expected = ((float_photo - result.airlight) / t + result.airlight).clip(0, 1)
    np.testing.assert_allclose(result.image, expected, atol=2e-5)


def test_presets_share_weights_and_differ_in_looks(dehazer, photo, unlimited):
    fine = Dehazer.load("fine", "cpu")
    assert fine.preset == "fine"
    assert fine(photo).report.weights == dehazer(photo).report.weights == "fast"
    one, many = dehazer(photo, force=True), fine(photo, force=True)
    assert not np.array_equal(one.image, many.image)
    # The same physics: what was looked at more often is still one restoration of one picture.
    expected = (photo / 255.0 - many.airlight) / many.transmission[..., None] + many.airlight
    np.testing.assert_allclose(many.image, expected.clip(0, 1) * 255, atol=0.51)
    with pytest.raises(SettingsError, match="fast, fine"):
        Dehazer(dehazer.engine, preset="finest")


def test_strips_do_not_show(dehazer, photo, monkeypatch):
    whole = dehazer(photo, force=True).image
    monkeypatch.setattr("clairvoy.restoring.full_resolution.PIXELS_AT_A_TIME", 96 * 3)
    np.testing.assert_array_equal(dehazer(photo, force=True).image, whole)


def test_sixteen_bits_are_not_rounded_to_eight(dehazer, photo):
    wide = photo.astype(np.uint16) * 257
    fine, coarse = dehazer(wide, force=True).image, dehazer(photo, force=True).image
    assert fine.dtype == np.uint16
    assert len(np.unique(fine)) > len(np.unique(coarse))
    assert np.abs(fine / 257 - coarse).max() < 1.01


def test_the_same_kind_comes_out(dehazer, photo):
    alpha = np.full((*photo.shape[:2], 1), 77, np.uint8)
    assert isinstance(dehazer(Image.fromarray(photo), force=True).image, Image.Image)
    out = dehazer(np.concatenate([photo, alpha], axis=2), force=True).image
    np.testing.assert_array_equal(out[..., 3:], alpha)
    tensor = torch.from_numpy(photo).permute(2, 0, 1) / 255
    assert dehazer(tensor, force=True).image.shape == tensor.shape
    assert dehazer(photo[..., 0], force=True).image.shape == photo.shape[:2]


def test_unrecognised_haze_leaves_the_picture_alone(dehazer):
    black = np.zeros((64, 64, 3), np.uint8)
    result = dehazer(black)
    if not result.report.haze:
        np.testing.assert_array_equal(result.image, black)
    assert result.report.windows == 64


def test_sizes_from_one_pixel(dehazer):
    for shape in ((1, 1, 3), (1, 50, 3), (16, 16, 3), (300, 20, 3)):
        assert dehazer(np.full(shape, 200, np.uint8), force=True).image.shape == shape


@pytest.mark.parametrize(
    ("bad", "says"),
    [
        (np.full((4, 4, 3), np.nan, np.float32), "NaN"),
        (np.zeros((4, 4, 5), np.uint8), "shape"),
        (np.zeros((4, 4, 3), np.int64), "type"),
        (np.full((4, 4, 3), 3.0), "scale it"),
        (object(), "give a path"),
    ],
)
def test_bad_input_is_named(dehazer, bad, says):
    with pytest.raises(InputError, match=says):
        dehazer(bad)


def test_bad_settings(dehazer, photo):
    with pytest.raises(SettingsError, match="strength"):
        dehazer(photo, strength=1.5)
    with pytest.raises(SettingsError, match="device"):
        Dehazer.load("fast", "abacus")


def test_weights_survive_a_file_and_wrong_ones_are_refused(tmp_path):
    torch.manual_seed(0)
    parts = Parts.new()
    save_weights(tmp_path / "mine.safetensors", parts, graphs=False)
    again = load_weights(tmp_path / "mine.safetensors")
    for name, module in parts.modules().items():
        for key, value in module.state_dict().items():
            torch.testing.assert_close(again.modules()[name].state_dict()[key], value, atol=1e-3, rtol=1e-3)
    (tmp_path / "bad.safetensors").write_bytes(b"no weights")
    with pytest.raises(WeightsError, match="cannot be read"):
        load_weights(tmp_path / "bad.safetensors")
    with pytest.raises(WeightsError, match="no such weights"):
        load_weights("nothing")
    with pytest.raises(WeightsError, match="format"):
        load_weights("squeezenet1_1")


@pytest.mark.parametrize("kind", ["path", "bytes", "file"])
def test_a_photograph_without_haze_is_copied_by_clear(kind, tmp_path, photo):
    """As the command line does it; another format is converted."""
    pixels = (photo // 40).astype(np.uint8)
    Image.fromarray(pixels).save(tmp_path / "sharp.jpg", quality=60)
    data = (tmp_path / "sharp.jpg").read_bytes()
    given = {"path": tmp_path / "sharp.jpg", "bytes": data, "file": io.BytesIO(data)}[kind]
    picture = clear(given, tmp_path / "out.jpg", strength=0.0)
    assert (tmp_path / "out.jpg").read_bytes() == data
    np.testing.assert_array_equal(picture.pixels, read(data).pixels)
    clear(data, tmp_path / "out.png", strength=0.0)
    np.testing.assert_array_equal(read(tmp_path / "out.png").pixels, picture.pixels)


def test_a_batch_is_its_pictures_one_by_one(photo):
    tensor = torch.from_numpy(photo).permute(2, 0, 1)
    batch = torch.stack([tensor, tensor.flip(2)])
    out = clear(batch, force=True)
    assert out.shape == batch.shape
    assert out.dtype == torch.uint8
    for one, restored in zip(batch, out, strict=True):
        assert torch.equal(clear(one, force=True), restored)
    channels_last = np.stack([photo, photo[:, ::-1]])
    np.testing.assert_array_equal(clear(channels_last, force=True), out.permute(0, 2, 3, 1).numpy())


@pytest.mark.parametrize("force", [False, True])
def test_what_is_taken_away_grows_with_what_the_agent_believes(dehazer, photo, monkeypatch, force):
    """A clear picture stays to the bit, an unsure one loses a part, a hazy one all: nothing jumps on the way."""
    amounts = []
    for probability in np.linspace(0.4, 0.7, 31):
        monkeypatch.setattr(Engine, "haze_probability", lambda *_, p=float(probability): p)
        result = dehazer(photo, strength=0.8, force=force)
        amounts.append(result.report.amount)
        assert result.report.haze == (probability >= RESTORE_FROM)
        if not result.report.amount:
            np.testing.assert_array_equal(result.image, photo)
    if force:
        assert amounts == [0.8] * 31
        return
    assert amounts[0] == 0
    assert amounts[-1] == 0.8
    assert 0 <= np.diff(amounts).min() <= np.diff(amounts).max() < 0.15


def test_how_much_in_closed_form():
    middle = (RESTORE_FROM + SURE_FROM) / 2
    assert [how_much(p) for p in (0, RESTORE_FROM, middle, SURE_FROM, 1)] == pytest.approx([0, 0, 0.5, 1, 1])


def cut_out(photo, colour):
    """The photo with its left half transparent, over a colour that nobody sees: (H, W, 4) uint8."""
    alpha = np.full(photo.shape[:2], 255, np.uint8)
    alpha[:, : photo.shape[1] // 2] = 0
    return np.dstack([np.where(alpha[..., None] == 0, np.uint8(colour), photo), alpha])


@pytest.mark.parametrize("kind", ["array", "picture", "pil", "tensor", "file"])
def test_colours_that_nobody_sees_decide_nothing(dehazer, photo, kind):
    kinds = {
        "array": lambda rgba: rgba,
        "picture": lambda rgba: Picture(np.ascontiguousarray(rgba[..., :3]), rgba[..., 3]),
        "pil": Image.fromarray,
        "tensor": lambda rgba: torch.from_numpy(rgba).permute(2, 0, 1),
        "file": lambda rgba: encode(
            np.ascontiguousarray(rgba[..., :3]), Picture(rgba, np.ascontiguousarray(rgba[..., 3])), "PNG"
        ),
    }
    results = [dehazer(kinds[kind](cut_out(photo, colour)), force=True) for colour in (0, 255, 90)]
    for result in results:
        assert result.report.haze_probability == results[0].report.haze_probability
        assert (result.airlight == results[0].airlight).all()
        assert (result.haze == results[0].haze).all()
        assert (result.haze[:, : photo.shape[1] // 2] == 0).all()
    images = [np.asarray(getattr(result.image, "pixels", result.image)) for result in results]
    images = [image.transpose(1, 2, 0) if image.shape[0] == 4 else image for image in images]
    half = photo.shape[1] // 2
    assert (images[0][:, half:, :3] == images[1][:, half:, :3]).all()
    assert [int(image[0, 0, 0]) for image in images] == [0, 255, 90]  # what is hidden stays


@pytest.mark.parametrize("force", [True, False])
@pytest.mark.parametrize("kind", [lambda array: array, torch.from_numpy, Picture])
def test_a_late_map_is_that_of_the_picture_that_came_in(dehazer, photo, force, kind):
    buffer = photo.copy()
    frame = kind(buffer) if kind is not torch.from_numpy else kind(buffer).permute(2, 0, 1)
    result = dehazer(frame, force=force)
    expected = dehazer(photo, force=force).haze
    buffer[:] = 255 - buffer
    np.testing.assert_array_equal(result.haze, expected)


@pytest.mark.parametrize("force", [True, False])
def test_a_picture_that_nobody_changes_is_not_copied(dehazer, photo, force):
    result = dehazer(UnchangingPicture.of(Picture(photo)), force=force)
    kept = next(
        cell.cell_contents for cell in result._transmission.__closure__ if cell.cell_contents is photo
    )
    assert kept is photo
    np.testing.assert_array_equal(result.haze, dehazer(photo, force=force).haze)
