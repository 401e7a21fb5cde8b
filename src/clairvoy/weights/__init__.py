"""Released weights and their model cards."""
