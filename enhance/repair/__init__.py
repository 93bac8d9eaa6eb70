"""Mends old prints and scans: finds damage, fills it in, restores faded colors.

Pure functions from arrays to arrays, at the photo's own size and in its own color space.
"""
