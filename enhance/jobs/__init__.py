"""The command: from folders and object stores of photos to folders of results."""
