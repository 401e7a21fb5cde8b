"""Floor 4: what people run. Nothing imports this package, and nothing below it prints."""
