"""Adds scripts to the page that must run before Gradio's own."""

import json
from pathlib import Path

from gradio.routes import templates
from jinja2 import FunctionLoader
from starlette.requests import Request

from enhance.web.language import CHINESE, preferred

_CALM, _TO_CHINESE = (
    Path(__file__).with_name(name).read_text("utf-8") for name in ("calm.js", "to_chinese.js")
)


def add_scripts() -> None:
    """Have Gradio's page contain scripts that calm it, and translate it for visitors who read
    Chinese."""
    page = templates.env
    assert page.loader is not None
    read, table = page.loader.get_source, json.dumps(CHINESE).replace("<", "\\u003c")
    chinese = f"{_CALM}({_TO_CHINESE})({table});"

    def scripts(request: Request) -> str:
        language = preferred(request.headers)
        return f"<script>\n{chinese if language == 'zh' else _CALM}\n</script>"

    def with_scripts(name: str) -> str:
        text, _, _ = read(page, name)
        return text.replace("</head>", "{{ scripts(request) | safe }}</head>", 1)

    page.globals["scripts"] = scripts
    page.loader = FunctionLoader(with_scripts)
