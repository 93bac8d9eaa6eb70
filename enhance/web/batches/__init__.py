"""Batches of photos, which outlive the requests that work on them. Nothing here imports Gradio."""
