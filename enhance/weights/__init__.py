"""Model weight files, bundled or downloaded, verified before they are read."""
