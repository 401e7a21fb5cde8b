"""Looking around on a sphere: an agent decides where to look, a generator completes what was not seen."""
