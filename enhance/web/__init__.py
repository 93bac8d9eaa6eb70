"""The web server: its page, its API and its visitors' batches."""
