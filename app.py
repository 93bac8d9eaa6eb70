"""The web app: `python app.py` serves the page and its API on port 7860."""

from __future__ import annotations

import ctypes
import logging
import os
import signal
import threading
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path

# Before gradio is imported: no request leaves this machine unless the user asks for a download.
os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")
# And uvicorn must believe nobody's X-Forwarded-For: whether a proxy stands in front, Guard is told.
os.environ.setdefault("FORWARDED_ALLOW_IPS", "")

import gradio as gr
from gradio.utils import get_upload_folder
from starlette.middleware import Middleware

from enhance.choices import required_weights
from enhance.engines.choice import open_engine
from enhance.errors import EnhanceError, OptionsError
from enhance.i18n import say
from enhance.pipeline import Enhancer
from enhance.records import Limits, Options, Setup
from enhance.web.api import Api
from enhance.web.batches.store import BatchStore
from enhance.web.language import MIDDLEWARE, text
from enhance.web.log import start_log
from enhance.web.page.page import CSS, Page
from enhance.web.server.middleware import Guard
from enhance.web.server.routes import routes
from enhance.weights.download import fetch

log = logging.getLogger("enhance")

ASSETS = Path(__file__).parent / "assets"
LISTEN_ADDRESS = "127.0.0.1"
LOOPBACK = ("127.0.0.1", "::1", "localhost")

SESSIONS = 50  # that Gradio remembers, at 0.1 MB each; nothing that the page needs is in them
SWEEP_SECONDS = 60
CLOSE_SECONDS = 3  # for the model to come to the end of a tile, besides Gradio's 5


def whole_number(
    variable: str,
    usual: int,
    environment: Mapping[str, str] = os.environ,
    most: int = 10**15,
) -> int:
    """What an environment variable is set to. Raises OptionsError when it is no number from 1."""
    value = environment.get(variable, str(usual))
    if not (value.isdecimal() and len(value) <= len(str(most)) and 1 <= int(value) <= most):
        raise OptionsError(
            say(
                "{variable} must be a whole number from 1 to {most}, not {value!r}.",
                variable=variable,
                most=most,
                value=value,
            )
        )
    return int(value)


def limits(environment: Mapping[str, str] = os.environ) -> Limits:
    """What photos and batches may be: ENHANCE_MAX_PIXELS and the like change a limit.

    Raises OptionsError when such a value is no whole number from 1.
    """
    usual = asdict(Limits())
    return Limits(
        **{
            name: whole_number(f"ENHANCE_{name.upper()}", value, environment)
            for name, value in usual.items()
        }
    )


def accounts(environment: Mapping[str, str] = os.environ) -> list[tuple[str, str]] | None:
    """Who may log in, with passwords: ENHANCE_AUTH; None: everybody, without logging in.

    Raises OptionsError when it has another form.
    """
    if "ENHANCE_AUTH" not in environment:
        return None
    pairs = []
    for account in environment["ENHANCE_AUTH"].split(","):
        user, _, password = account.strip().partition(":")
        if not (user and password):
            raise OptionsError(
                say(
                    "ENHANCE_AUTH must be user:password, or several such pairs separated by commas."
                )
            )
        pairs.append((user, password))
    return pairs


def may_download(environment: Mapping[str, str] = os.environ) -> bool:
    """Whether the page offers to download weights: when ENHANCE_ALLOW_DOWNLOAD says so, else only
    where visitors sit at this machine, reached neither through a proxy nor through a tunnel."""
    allowed = environment.get("ENHANCE_ALLOW_DOWNLOAD")
    if allowed:
        return allowed == "1"
    public = behind_proxy(environment) or environment.get("GRADIO_SHARE", "").lower() == "true"
    address = environment.get("GRADIO_SERVER_NAME", LISTEN_ADDRESS)
    return address in LOOPBACK and not public


def behind_proxy(environment: Mapping[str, str] = os.environ) -> bool:
    """Whether a trusted proxy stands between clients and this server; on a Space one does."""
    on_space = "1" if environment.get("SPACE_ID") else "0"
    return environment.get("ENHANCE_TRUSTED_PROXY", on_space) == "1"


def build_page(batches: BatchStore, may_download: bool) -> gr.Blocks:
    """The page and the API over the same batches. may_download: see `may_download`."""
    hour = 3600

    def leave(request: gr.Request) -> None:
        batches.leave(str(request.session_hash))

    with gr.Blocks(title=text("Photo enhancer"), delete_cache=(hour, 6 * hour)) as page:
        samples = sorted((ASSETS / "samples").glob("*.jpg"))
        Api(batches, Page(page, batches, samples, may_download).settings)
        page.unload(leave)
    # The page refuses kindly before this limit is reached; it holds for the API too.
    most = 2 * batches.limits.max_waiting
    return page.queue(default_concurrency_limit=1, max_size=most, api_open=False)


def load_enhancer(limits: Limits) -> Enhancer:
    """Imports the models' libraries only now: the page is served seconds earlier."""
    from enhance.build import load_enhancer

    return load_enhancer(Setup(), limits)


def share_memory_between_threads() -> None:
    """Keep glibc from holding freed memory for each thread apart: two arenas for all of them."""
    arena_max = -8  # M_ARENA_MAX in malloc.h; other C libraries have no mallopt, or ignore it
    with suppress(AttributeError, TypeError):  # TypeError: Windows finds no library without a name
        ctypes.CDLL(None).mallopt(arena_max, 2)


def main() -> None:
    """Serve the page, load the models behind it, and close when a signal asks for it."""
    share_memory_between_threads()
    os.umask(0o077)  # photos are nobody else's on this machine
    asked_to_close = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: asked_to_close.set())
    try:
        start_log(os.environ.get("ENHANCE_LOG_FORMAT", "text"), Path(get_upload_folder()))
        allowed, auth = limits(), accounts()
        port = whole_number("GRADIO_SERVER_PORT", 7860, most=65535)
        engine = open_engine(lambda: load_enhancer(allowed), allowed)
    except OptionsError as error:
        raise SystemExit(str(error)) from error
    batches = BatchStore(engine, Path(get_upload_folder()), allowed)

    def load() -> None:
        try:
            if os.environ.get("ENHANCE_DOWNLOAD") == "1":
                for file in required_weights(Options()).values():
                    fetch(file)
        except EnhanceError as error:
            log.error("%s", error)
        try:
            engine.load()
            log.info("models loaded")
        except EnhanceError as error:
            log.error("%s", error)
        except Exception:
            log.exception("the models could not be loaded; the first photo will try again")
        finally:
            batches.estimator.loading_ended()

    page = build_page(batches, may_download())
    guard = Middleware(
        Guard,
        limits=allowed,
        full=lambda: batches.full,
        behind_proxy=behind_proxy(),
    )
    page.launch(
        server_name=os.environ.get("GRADIO_SERVER_NAME", LISTEN_ADDRESS),
        server_port=port,
        prevent_thread_lock=True,
        auth=auth,
        state_session_capacity=SESSIONS,
        max_file_size=allowed.max_bytes,
        enable_monitoring=False,
        run_history=False,
        footer_links=["api"],
        theme=gr.themes.Default(),
        css=CSS,
        ssr_mode=False,
        pwa=True,  # installable
        favicon_path=ASSETS / "icon.png",
        app_kwargs={"routes": routes(batches), "middleware": [guard, *MIDDLEWARE]},
    )
    samples = {Path(file).parent for block in page.blocks.values() for file in block.keep_in_cache}
    batches.sweep_every(SWEEP_SECONDS, samples)
    threading.Thread(target=load, name="load").start()
    asked_to_close.wait()
    log.info("closing")
    closing = threading.Thread(target=engine.close, daemon=True)
    closing.start()  # the photo in work stops before its next tile
    # Gradio deletes the uploads when the last client has gone, for which nobody waits so long.
    uploads = {Path(file).parent for file in page.upload_file_set} - samples
    page.close(verbose=False)
    closing.join(CLOSE_SECONDS)
    batches.close(uploads)
    logging.shutdown()
    os._exit(0)  # a tile on a slow machine takes longer than anybody waits for an exit


if __name__ == "__main__":
    main()
