"""Fog in layers: the closed forms against quadrature, and the limits that everybody knows."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clairvoy.imaging.synthesis.fog_layers import FogBank, GroundFog, layered_optical_depth

HEIGHTS = st.floats(-20, 400)
GROUND = st.builds(GroundFog, st.floats(0.5, 200))
BANKS = st.builds(
    lambda base, thick, edge: FogBank(base, base + thick, edge),
    st.floats(-20, 150),
    st.floats(1, 200),
    st.floats(0.5, 30),
)


@settings(max_examples=150, deadline=None)
@given(profile=st.one_of(GROUND, BANKS), camera=HEIGHTS, end=HEIGHTS, length=st.floats(0.1, 5000))
def test_the_closed_form_is_the_integral_along_the_ray(profile, camera, end, length):
    # Gauss and Legendre, piece by piece between the heights where the profile bends.
    marks = np.array([0.0, *(getattr(profile, name) for name in ("base", "top") if hasattr(profile, name))])
    bends = (marks - camera) / (end - camera) if abs(end - camera) > 1e-9 else marks[:0]
    pieces = np.sort(np.concatenate([np.linspace(0, 1, 400), bends[(bends > 0) & (bends < 1)]]))
    nodes, weights = np.polynomial.legendre.leggauss(8)
    half, middle = np.diff(pieces)[:, None] / 2, (pieces[1:] + pieces[:-1])[:, None] / 2
    expected = float(
        (profile.density(camera + (middle + half * nodes) * (end - camera)) * weights * half).sum()
    )
    found = layered_optical_depth(np.array([[length]]), np.array([[end]]), camera, profile, beta=0.01)
    assert found[0, 0] == pytest.approx(0.01 * length * expected, rel=1e-5, abs=1e-9 * length)


def test_a_level_path_lies_in_fog_of_one_density():
    found = layered_optical_depth(np.full((2, 2), 100.0), np.full((2, 2), 7.0), 7.0, GroundFog(10.0), 0.02)
    np.testing.assert_allclose(found, 0.02 * 100 * np.exp(-0.7), rtol=1e-6)


def test_nothing_jumps_where_the_path_becomes_level():
    ends = 5 + np.linspace(-3e-3, 3e-3, 101)
    found = layered_optical_depth(np.full(101, 1000.0), ends, 5.0, FogBank(2.0, 9.0, 1.0), 0.01)
    assert np.abs(np.diff(found)).max() < 1e-3


def test_fog_without_a_top_is_beta_times_depth():
    depth = np.array([[1.0, 50.0], [400.0, 9.0]])
    found = layered_optical_depth(depth, np.array([[0.0, 30.0], [1.0, 90.0]]), 2.0, GroundFog(1e9), 0.005)
    np.testing.assert_allclose(found, 0.005 * depth, rtol=1e-5)


def test_from_above_a_bank_what_is_below_it_is_hidden_and_the_summit_is_clear():
    bank = FogBank(base=100.0, top=200.0, edge=2.0)
    valley, summit = layered_optical_depth(
        np.array([3000.0, 3000.0]), np.array([0.0, 400.0]), 300.0, bank, 0.01
    )
    # A third of the way down to the valley lies within the bank.
    assert valley == pytest.approx(0.01 * 1000, rel=1e-3)
    assert summit < 1e-3


def test_hollows_below_zero_are_filled():
    fog = GroundFog(5.0)
    np.testing.assert_allclose(fog.density(np.array([-3.0, 0.0])), 1.0)
    assert fog.column(np.array(-3.0)) == pytest.approx(-3.0)
