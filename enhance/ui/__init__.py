"""The web page and its API: widgets ↔ `engine.run`. Nothing below this room knows Gradio."""
