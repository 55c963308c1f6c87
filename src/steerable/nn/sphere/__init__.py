"""Layers on the sphere: local convolutions, transforms by harmonics, attention, losses."""
