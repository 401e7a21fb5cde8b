"""Where the channels of a picture are: Gymnasium's pictures are (H, W, C), stacks of frames and our planes (C, H, W)."""

from __future__ import annotations

import warnings

FEW = 4
"""As many channels as a picture has at most: grey, colours, and how opaque; or stacked frames."""


def channels_are_last(shape: tuple[int, ...], name: str) -> bool:
    """Tell by its shape whether a grid of three dimensions is (H, W, C).

    Two signs: four channels or fewer at one end only, and two sides that are equal. Where neither speaks, or one
    contradicts the other, the channels are taken to be last, as Gymnasium has them, and a warning says so once.
    """
    first, middle, last = shape
    signs = set()
    if (first <= FEW) != (last <= FEW):
        signs.add(last <= FEW)
    if (first == middle) != (middle == last):
        signs.add(first == middle)
    if len(signs) != 1:
        warnings.warn(
            f"{name} is {shape}, and nothing tells where its channels are: taken for (height, width, channels); "
            "if they come first, say channels='first'",
            stacklevel=2,
        )
        return True
    return signs.pop()
