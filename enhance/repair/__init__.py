"""Mends old prints and scans: finds damage, fills it in, restores faded colours.

Pure functions from arrays to arrays, at the photo's own size and in its own colour space.
"""
