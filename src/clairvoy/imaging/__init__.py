"""Pixels. Haze physics, files, windows, picture quality; no weights and no torch modules."""
