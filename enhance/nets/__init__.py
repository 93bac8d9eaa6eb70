"""Network definitions that run fast and load upstream weights."""
