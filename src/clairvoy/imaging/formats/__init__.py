"""One module for each file format, all with the same two functions.

``decode(data: bytes, max_pixels: int) -> Raster`` and ``encode(samples, metadata, quality) -> bytes``. They
raise `FileError` whose message does not name the file; `clairvoy.imaging.files` puts the name in front.
"""
