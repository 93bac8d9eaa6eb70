"""Photos in folders and stores, and results on their way there, however many."""
