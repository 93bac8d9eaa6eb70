"""The command's jobs: enhance all photos in folders and object stores."""
