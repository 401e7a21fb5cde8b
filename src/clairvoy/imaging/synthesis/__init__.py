"""Scenes to learn from, made of photographs and drawn depth; restoring needs none of it."""
