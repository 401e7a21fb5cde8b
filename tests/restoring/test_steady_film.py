"""The filter over a film, in closed form; cuts forget, pans take the field along."""

import numpy as np
import pytest

from clairvoy.restoring.dehazer import Dehazer
from clairvoy.restoring.film import FilmRestorer
from clairvoy.restoring.steady import SECONDS, HazeField, SteadyHaze


def field(depth, amount=1.0, size=(2, 16, 16)):
    return HazeField(np.full(size, depth, np.float32), np.full(3, 0.8, np.float32), amount)


def scenery(seed=0, height=180, width=320):
    """A picture with something to recognise at all scales."""
    rng = np.random.default_rng(seed)
    picture = np.zeros((height, width, 3))
    for size in (4, 12, 36):
        coarse = rng.uniform(0, 80, (height // size + 1, width // size + 1, 3))
        picture += coarse.repeat(size, 0).repeat(size, 1)[:height, :width]
    return picture.astype(np.uint8)


def test_the_first_frame_is_followed_at_once():
    steady = SteadyHaze()
    assert steady.watch(scenery(), 0.0)
    assert steady.follow(field(0.7), 0.0).grid.mean() == pytest.approx(0.7)


def test_a_step_is_followed_exponentially():
    steady = SteadyHaze()
    steady.watch(scenery(), 0.0)
    steady.follow(field(0.0, amount=0.0), 0.0)
    for number in range(1, 26):
        time = number / 25
        assert not steady.watch(scenery(), time)
        now = steady.follow(field(1.0), time)
        assert now.grid.mean() == pytest.approx(1 - np.exp(-time / SECONDS), rel=1e-4)
        assert now.amount == pytest.approx(1 - np.exp(-time / SECONDS), rel=1e-4)
    assert now.grid.mean() > 0.9  # within a second


def test_noise_is_damped_as_the_theory_says():
    """White noise of variance 1 leaves variance a / (2 - a), with a = 1 - exp(-dt / SECONDS)."""
    rng, steady, out = np.random.default_rng(1), SteadyHaze(), []
    steady.watch(scenery(), 0.0)
    for number in range(4000):
        noisy = HazeField(np.full((1, 1, 1), rng.normal(), np.float32), np.ones(3, np.float32), 1.0)
        out.append(float(steady.follow(noisy, number / 25).grid[0, 0, 0]))
    share = 1 - np.exp(-0.04 / SECONDS)
    assert np.std(out[100:]) == pytest.approx(np.sqrt(share / (2 - share)), rel=0.15)


def test_a_cut_forgets():
    steady = SteadyHaze()
    steady.watch(scenery(0), 0.0)
    steady.follow(field(1.0), 0.0)
    assert steady.watch(scenery(7), 0.04)
    assert steady.follow(field(0.2), 0.04).grid.mean() == pytest.approx(0.2)


def test_fog_that_rolls_in_is_no_cut():
    """It changes the contrast and the brightness of the same things."""
    clear, steady = scenery(), SteadyHaze()
    steady.watch(clear, 0.0)
    steady.follow(field(0.0), 0.0)
    foggy = (clear * 0.4 + 200 * 0.6).astype(np.uint8)
    assert not steady.watch(foggy, 0.04)


def test_the_field_moves_with_a_pan():
    wide, steady = scenery(3, 180, 480), SteadyHaze(seconds=1e9)
    there = np.zeros((1, 16, 16), np.float32)
    there[..., 8:] = 1.0
    steady.watch(wide[:, 100:420], 0.0)
    steady.follow(HazeField(there, np.ones(3, np.float32), 1.0), 0.0)
    # The camera turns right by 40 pixels of 320: all moves left by 2 of 16 cells.
    assert not steady.watch(wide[:, 140:460], 0.04)
    after = steady.follow(HazeField(there, np.ones(3, np.float32), 1.0), 0.04).grid[0, 8]
    np.testing.assert_allclose(after[:5], 0, atol=0.05)
    np.testing.assert_allclose(after[7:], 1, atol=0.05)


def test_nothing_to_see_is_no_cut():
    steady = SteadyHaze()
    grey = np.full((90, 160, 3), 120, np.uint8)
    steady.watch(grey, 0.0)
    steady.follow(field(1.0), 0.0)
    assert not steady.watch(grey + 5, 0.04)
    assert steady.watch(np.full((90, 160, 3), 5, np.uint8), 0.08)


def test_without_a_time_constant_each_frame_stands_alone():
    steady = SteadyHaze(seconds=0)
    steady.watch(scenery(), 0.0)
    steady.follow(field(1.0), 0.0)
    assert steady.follow(field(0.3), 0.04).grid.mean() == pytest.approx(0.3)


class Fog:
    """In a dehazer's place: perceives the field that it is told, and writes down when it was asked."""

    def __init__(self, amount=1.0):
        self.asked, self.amount = 0, amount

    def perceive(self, pixels, *, strength, force):
        self.asked += 1
        return field(0.5, amount=strength * (1.0 if force else self.amount))

    def take_away(self, pixels, field):
        return pixels - round(100 * field.amount * float(field.grid.mean()))


def test_a_film_is_perceived_ten_times_a_second_and_restored_in_each_frame():
    fog = Fog()
    restore = FilmRestorer(fog, strength=0.8)
    picture = scenery() // 2 + 100
    restored = [restore(picture, k / 25) for k in range(51)]
    assert 17 <= fog.asked <= 21
    assert all(np.array_equal(one, picture - 40) for one in restored)
    assert restore.shots == 1


def test_a_cut_is_perceived_at_once():
    fog = Fog()
    restore = FilmRestorer(fog)
    for k in range(3):
        restore(scenery(0), k / 25)
    restore(scenery(7), 3 / 25)
    assert fog.asked == 2
    assert restore.shots == 2


def test_where_there_is_no_haze_the_frames_come_back_as_they_are():
    restore = FilmRestorer(Fog(amount=0.0))
    picture = scenery()
    assert restore(picture, 0.0) is picture
    forced = FilmRestorer(Fog(amount=0.0), force=True)
    assert not np.array_equal(forced(picture, 0.0), picture)


def test_frames_of_sixteen_bits_are_watched_too():
    restore = FilmRestorer(Fog())
    deep = scenery().astype(np.uint16) * 257
    assert restore(deep, 0.0).dtype == np.uint16
    restore(deep, 0.04)
    assert restore.shots == 1


def test_frame_by_frame_it_is_what_the_dehazer_makes_of_pictures(untrained_weights):
    dehazer = Dehazer.load(untrained_weights)
    hazy = (scenery(2) * 0.4 + 120).astype(np.uint8)
    restore = FilmRestorer(dehazer, strength=0.7, force=True, seconds=0)
    np.testing.assert_array_equal(restore(hazy, 0.0), dehazer(hazy, strength=0.7, force=True).image)
