"""The loop in which a generator, a discriminator and an agent train each other; it knows no scenario."""
