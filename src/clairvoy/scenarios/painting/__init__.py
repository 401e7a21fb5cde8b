"""Learning to paint: which strokes the search finds where, and an agent that decides where it looks."""
