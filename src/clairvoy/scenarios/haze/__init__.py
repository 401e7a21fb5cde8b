"""The flagship scenario: an agent searches scenes for haze, a generator puts it there and takes it away."""
