"""Records of flows: what their fields are, read from files, as rows of numbers."""
