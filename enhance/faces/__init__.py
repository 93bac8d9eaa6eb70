"""Where faces are, what they look like restored, and how they are put back into the photo."""
