"""Finds faces, restores them and pastes them back into the photo."""
