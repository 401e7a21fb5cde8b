"""One module for each file format, all with the same functions.

``decode(data: bytes, max_pixels: int) -> Raster``, and where the format can be written
``encode(samples, metadata, quality: int | None) -> bytes``; None is the quality of the picture's own file. They raise
`FileError` whose message does not name the file; `clairvoy.imaging.files` puts the name in front.
"""
