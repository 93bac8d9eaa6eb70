"""Network definitions that run fast and load upstream weights, and the device they run on."""
