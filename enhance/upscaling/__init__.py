"""Resizes photos, by interpolation or with a network tile by tile."""
