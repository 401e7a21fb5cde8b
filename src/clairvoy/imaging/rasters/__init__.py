"""Rasters: TIFFs with a place on the ground or larger than memory, by windows, with rasterio (extra `geo`)."""
