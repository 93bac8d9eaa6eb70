"""Batches of photos that outlive the requests that work on them. Nothing here knows Gradio."""
