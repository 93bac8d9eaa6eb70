"""The server: its page, its API, and the batches of its visitors."""
