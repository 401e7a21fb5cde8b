"""Rendered outdoor views with exact depth: streets, towns, mountains, fields and the sea under all kinds of skies."""

from clairvoy.imaging.synthesis.outdoors.render import render_outdoors, render_outdoors_with_height

__all__ = ["render_outdoors", "render_outdoors_with_height"]
