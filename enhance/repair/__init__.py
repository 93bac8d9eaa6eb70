"""Old prints and scans made whole: find damage, fill it in, bring faded colours back.

Pure functions from arrays to arrays, at the photo's own size and in its own colour space.
"""
