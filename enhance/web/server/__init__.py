"""The server around the page and the API: middleware, rate limits and routes for operators."""
