"""Layers on the icosahedral grid: gauges of six directions, charts, poses."""
