"""Adds scripts to the page that must run before Gradio's own."""

from __future__ import annotations

from starlette._utils import get_route_path
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from enhance.web.language import chinese_script, preferred

# Gradio's progress displays count seconds in every frame, even hidden ones, and the one of its
# loading screen never ends (6.31), which takes 5 % of a core from the model or the visitor's
# battery for as long as the page is open. One look a second is enough for them.
_FRAMES = """(() => {
  const frame = window.requestAnimationFrame;
  window.requestAnimationFrame = (draw) =>
    String(draw).includes("performance.now()") ? setTimeout(draw, 1000) : frame(draw);
})();"""


class PageScripts:
    """ASGI middleware: calms the page, and translates it for visitors who read Chinese."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._english = _tag(_FRAMES)
        self._chinese = _tag(_FRAMES + chinese_script())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or get_route_path(scope) != "/":
            await self._app(scope, receive, send)
            return
        chinese = preferred(Headers(scope=scope).get("accept-language", "")) == "zh"
        script = self._chinese if chinese else self._english

        async def send_with_script(message: Message) -> None:
            nonlocal script
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.add_vary_header("Accept-Language")
                kind = headers.get("Content-Type", "")
                if message["status"] == 200 and kind.startswith("text/html"):
                    headers["Content-Length"] = str(int(headers["Content-Length"]) + len(script))
                else:
                    script = b""
            elif message["type"] == "http.response.body":
                page = message["body"].replace(b"</head>", script + b"</head>", 1)
                message = {**message, "body": page}
            await send(message)

        await self._app(scope, receive, send_with_script)


def _tag(script: str) -> bytes:
    return f"<script>\n{script}\n</script>".encode()
