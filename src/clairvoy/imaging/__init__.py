"""Floor 1: pixels. Haze physics, files, windows, picture quality; no weights and no torch modules."""
