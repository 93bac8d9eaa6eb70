"""The page: its widgets and their handlers."""
