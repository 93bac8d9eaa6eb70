"""Photos made larger: by interpolation, or by a network tile by tile."""
