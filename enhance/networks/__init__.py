"""Fast definitions of networks that load upstream weights, and the device that they run on."""
