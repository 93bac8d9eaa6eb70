"""Mends old prints and scans: finds damage, fills it in, restores faded colors.

Photos keep their size meanwhile, and their color space unless they are given colors.
"""
