"""A generator of rows of data of any kind."""
