"""What can be loaded: the catalogue of models and their weight files, verified before use."""
