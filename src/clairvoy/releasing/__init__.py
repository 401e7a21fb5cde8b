"""From trained parts to the file that people use: the parts, their graphs, and the file that holds both."""
