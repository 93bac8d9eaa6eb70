"""The web app: `python app.py` serves the page and its API on port 7860."""

import getpass
import inspect
import logging
import os
import signal
import tempfile
import threading
from argparse import ArgumentParser
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

# Before gradio is imported: no request leaves this machine unless the user asks for a download.
os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")
# Else it makes a table of its last 10,000 events after each event.
os.environ.setdefault("GRADIO_ANALYTICS_MAX_EVENTS", "1")
# A folder of its own: other apps' files are in Gradio's.
_USER = os.getuid() if os.name == "posix" else getpass.getuser()
os.environ.setdefault("GRADIO_TEMP_DIR", str(Path(tempfile.gettempdir()) / f"enhance-{_USER}"))
# And uvicorn must not trust any X-Forwarded-For: Guard handles it, and knows if there is a proxy.
os.environ.setdefault("FORWARDED_ALLOW_IPS", "")

_getfile = inspect.getfile


def _getfile_but_gradios(thing: Any) -> str:
    if getattr(thing, "__module__", "").startswith("gradio."):
        raise OSError("not asked for")
    return _getfile(thing)


# Else Gradio parses the source of each component, to write a type stub beside it, which takes as
# long as the rest of this import.
inspect.getfile = _getfile_but_gradios  # type: ignore[assignment]

import gradio as gr

inspect.getfile = _getfile

from gradio.utils import get_upload_folder
from starlette.formparsers import MultiPartParser
from starlette.middleware import Middleware

from enhance.engines.choice import open_engine
from enhance.errors import EnhanceError, OptionsError
from enhance.limits import Limits, whole_number
from enhance.models.download import fetch
from enhance.networks import heap
from enhance.options import Options, Setup
from enhance.pipeline.model_choice import required_weights
from enhance.web.batches.store import BatchStore
from enhance.web.gradio_api import MOST_AT_ONCE, QUEUE, Api
from enhance.web.language import text
from enhance.web.log import start_log
from enhance.web.page.actions import MODEL_QUEUE
from enhance.web.page.page import CSS, THEME, draw_page
from enhance.web.plain_http import http_routes
from enhance.web.server.middleware import Guard
from enhance.web.server.page_scripts import add_scripts
from enhance.web.server.routes import routes
from enhance.web.server.shared_queue import SharedQueue
from enhance.web.server.uploads import UploadShares, refuse_texts

log = logging.getLogger("enhance")

ASSETS = Path(__file__).parent / "assets"
LISTEN_ADDRESS = "127.0.0.1"
LOOPBACK = ("127.0.0.1", "::1", "localhost")

SESSIONS = 50  # sessions that Gradio remembers, at 0.1 MB each; the page needs nothing in them
SWEEP_SECONDS = 60
CLOSE_SECONDS = 3  # for the model to finish a tile, in addition to Gradio's 5


def accounts(environment: Mapping[str, str] = os.environ) -> list[tuple[str, str]] | None:
    """The accounts in ENHANCE_AUTH, as (user, password); None if no login is needed.

    Raises OptionsError if ENHANCE_AUTH is malformed.
    """
    if "ENHANCE_AUTH" not in environment:
        return None
    pairs = []
    for account in environment["ENHANCE_AUTH"].split(","):
        user, _, password = account.strip().partition(":")
        if not (user and password):
            raise OptionsError(
                "ENHANCE_AUTH must be user:password, or several such pairs separated by commas."
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


def framed_by(environment: Mapping[str, str] = os.environ) -> str:
    """Whose pages may show this one in a frame, as in a Content-Security-Policy; a Space is shown
    by Hugging Face."""
    on_space = environment.get("SPACE_ID")
    return "'self' https://huggingface.co https://*.hf.space" if on_space else "'self'"


def build_page(batches: BatchStore, may_download: bool) -> tuple[gr.Blocks, SharedQueue]:
    """The page with the API, which share the batches, and their queue. may_download: see
    `may_download`."""

    def leave(request: gr.Request) -> None:
        batches.leave(str(request.session_hash))

    with gr.Blocks(title=text("Photo enhancer")) as page:
        samples = sorted((ASSETS / "samples").glob("*.jpg"))
        Api(batches, draw_page(page, batches, samples, may_download))
        page.unload(leave)
    page.queue(api_open=False)
    queue = SharedQueue(page, batches.limits.max_waiting, MODEL_QUEUE, QUEUE, MOST_AT_ONCE)
    page._queue = queue
    return page, queue


def allow_open_files() -> None:
    """Raise the limit of open files as far as allowed: each photo in a request is one while the
    request arrives, and 1,024, the usual limit, would be two batches."""
    with suppress(ImportError, ValueError, OSError):  # Windows has none, and macOS one of its own
        import resource

        _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def main() -> None:
    """Serve the page, load the models in the background, and shut down on a signal."""
    ArgumentParser(
        description=__doc__, epilog="Environment variables configure it: see docs/operation.md."
    ).parse_args()
    heap.share()
    allow_open_files()
    os.umask(0o077)  # keep the photos from other users of this machine
    asked_to_close = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: asked_to_close.set())
    try:
        start_log(os.environ.get("ENHANCE_LOG_FORMAT", "text"), Path(get_upload_folder()))
        allowed, auth = Limits.from_environment(), accounts()
        port = whole_number("GRADIO_SERVER_PORT", 7860, most=65535)
        engine = open_engine(Setup(), allowed)
        batches = BatchStore(engine, Path(get_upload_folder()), allowed)
    except OptionsError as error:
        raise SystemExit(str(error)) from error

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

    add_scripts()
    refuse_texts()
    # Photos sent by plain HTTP lie beside the other uploads from their first byte.
    tempfile.tempdir, MultiPartParser.spool_max_size = get_upload_folder(), 1
    page, queue = build_page(batches, may_download())
    guard = Middleware(Guard, limits=allowed, behind_proxy=behind_proxy(), framed_by=framed_by())
    shares = Middleware(UploadShares, batches)
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
        theme=THEME,
        css=CSS,
        ssr_mode=False,
        pwa=True,  # installable
        favicon_path=ASSETS / "icon.png",
        app_kwargs={
            "routes": [*routes(batches), *http_routes(batches, queue)],
            "middleware": [guard, shares],
        },
    )
    samples = (file for block in page.blocks.values() for file in block.keep_in_cache)
    batches.kept_uploads = {Path(sample).parent for sample in samples}
    batches.sweep_every(SWEEP_SECONDS)
    threading.Thread(target=load, name="load").start()
    asked_to_close.wait()
    log.info("closing")
    closing = threading.Thread(target=engine.close, daemon=True)
    closing.start()  # the photo in progress stops before its next tile
    page.close(verbose=False)
    closing.join(CLOSE_SECONDS)
    batches.close()
    logging.shutdown()
    os._exit(0)  # do not wait for a tile, which can take long on a slow machine


if __name__ == "__main__":
    main()
