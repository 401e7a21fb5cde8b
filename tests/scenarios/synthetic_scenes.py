"""Scenes whose haze is known, made from numbers alone."""

from clairvoy.scenarios.synthetic_scenes import synthetic_scenes

__all__ = ["synthetic_scenes"]
