"""One photo from pixels to pixels, and what is said and shown of it."""
