"""Layers on HEALPix pixels in nested order."""
