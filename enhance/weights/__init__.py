"""Files of model weights: bundled or downloaded, verified before they are read."""
