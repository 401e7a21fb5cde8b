"""Films, read and written frame by frame with PyAV (the extra `video`), so that all that is not pixels is kept."""
