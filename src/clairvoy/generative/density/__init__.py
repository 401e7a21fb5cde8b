"""The image generator: haze as a low-dimensional density field, its discriminator and its confidence."""
