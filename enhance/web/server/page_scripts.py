"""Adds scripts to the page that must run before Gradio's own."""

from gradio.routes import templates
from jinja2 import FunctionLoader
from starlette.requests import Request

from enhance.web.language import chinese_script, preferred

# Gradio's progress displays count seconds in every frame, even hidden ones, and the one of its
# loading screen never ends (6.31), which takes 5 % of a core from the model or the visitor's
# battery for as long as the page is open. One look a second is enough for them.
_FRAMES = """(() => {
  const frame = window.requestAnimationFrame;
  window.requestAnimationFrame = (draw) =>
    String(draw).includes("performance.now()") ? setTimeout(draw, 1000) : frame(draw);
})();"""


def add_scripts() -> None:
    """Have Gradio's page contain scripts that calm it, and translate it for visitors who read
    Chinese."""
    page = templates.env
    assert page.loader is not None
    read, english, chinese = page.loader.get_source, _FRAMES, _FRAMES + chinese_script()

    def scripts(request: Request) -> str:
        language = preferred(request.headers)
        return f"<script>\n{chinese if language == 'zh' else english}\n</script>"

    def with_scripts(name: str) -> str:
        text, _, _ = read(page, name)
        return text.replace("</head>", "{{ scripts(request) | safe }}</head>", 1)

    page.globals["scripts"] = scripts
    page.loader = FunctionLoader(with_scripts)
