"""Restoring pictures with trained parts; nothing here trains."""
