"""What stands around page and API: middleware, limits, and addresses for operators."""
