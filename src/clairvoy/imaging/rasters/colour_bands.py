"""Which bands of a raster are its colours."""

from __future__ import annotations

from collections.abc import Sequence

from clairvoy.errors import FileError, SettingsError

_NAMES = ("red", "green", "blue")
_PICTURES = ("uint8", "uint16")
"""Types of samples that are taken for those of a picture where there is only one band."""


def colour_bands(
    interpretations: Sequence[str], descriptions: Sequence[str | None], dtype: str, asked: Sequence[int] = ()
) -> tuple[tuple[int, ...], str | None]:
    """The bands that are restored: red, green, blue, or one that is grey.

    Parameters
    ----------
    interpretations
        What the file says of each band, such as "red", "alpha" or "undefined".
    descriptions
        The name of each band, or None.
    dtype
        Of the samples, such as "uint8".
    asked
        The bands that the user named, counted from 1; none: found by what the file says.

    Returns
    -------
    tuple
        Their numbers from 1 on; and what the user should know of the choice, or None.

    Raises
    ------
    SettingsError
        `asked` names bands that are not there.
    FileError
        No band is known to be a picture.
    """
    count = len(interpretations)
    if asked:
        if (
            len(asked) not in (1, 3)
            or len(set(asked)) < len(asked)
            or not all(1 <= n <= count for n in asked)
        ):
            named = ",".join(map(str, asked))
            raise SettingsError(f"--bands {named}: name one band or three different ones of 1 to {count}")
        return tuple(asked), None
    for said in (interpretations, [(name or "").strip().lower() for name in descriptions]):
        if all(name in said for name in _NAMES):
            return tuple(list(said).index(name) + 1 for name in _NAMES), None
    others = [number + 1 for number, kind in enumerate(interpretations) if kind != "alpha"]
    if len(others) >= 3:
        return tuple(others[:3]), (
            f"does not say which bands are red, green and blue; bands {','.join(map(str, others[:3]))} are taken "
            "(--bands R,G,B says otherwise)"
        )
    if len(others) == 2:
        raise FileError("has two bands, and does not say what they are; name the grey one with --bands")
    if dtype not in _PICTURES:
        raise FileError(
            f"has one band of {dtype}, which may hold heights or measurements; if it is a picture, say --bands 1"
        )
    return (others[0],), None
