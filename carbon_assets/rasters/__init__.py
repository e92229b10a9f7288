"""Rasters at the door and on the way in: opening, checking, hashing and reading blocks."""
