"""Pixels: files, windows, haze physics, picture quality. Nothing here is learnt."""
