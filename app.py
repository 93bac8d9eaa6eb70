"""The web app: `python app.py` serves the page and its API on port 7860."""

from __future__ import annotations

import logging
import os
import threading
from dataclasses import fields
from pathlib import Path

# Before gradio is imported: no request leaves this machine unless the user asks for a download.
os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")

import gradio as gr
from gradio.utils import get_upload_folder

from enhance.catalogue import CATALOGUE
from enhance.choices import required_weights
from enhance.downloads import fetch
from enhance.engines.local import LocalEngine
from enhance.errors import EnhanceError
from enhance.estimates import Estimator
from enhance.pipeline import Enhancer
from enhance.records import Limits, Options, Setup
from enhance.ui.api import Api
from enhance.ui.batches import Batches
from enhance.ui.language import MIDDLEWARE
from enhance.ui.page import CSS, Page
from enhance.ui.routes import routes
from enhance.ui.settings_panel import EstimatorSlot

log = logging.getLogger("enhance")

ASSETS = Path(__file__).parent / "assets"


def limits() -> Limits:
    """What photos and batches may be: ENHANCE_MAX_PIXELS and the like change a limit."""
    changed = {
        field.name: int(os.environ[variable])
        for field in fields(Limits)
        if (variable := f"ENHANCE_{field.name.upper()}") in os.environ
    }
    return Limits(**changed)


def build_page(batches: Batches, estimator: EstimatorSlot) -> gr.Blocks:
    """The page and the API over the same batches."""
    hour = 3600

    def leave(request: gr.Request) -> None:
        batches.leave(str(request.session_hash))

    with gr.Blocks(title="Photo enhancer", delete_cache=(hour, 6 * hour)) as page:
        samples = sorted((ASSETS / "samples").glob("*.jpg"))
        Api(batches, Page(page, batches, estimator, samples).settings)
        page.unload(leave)
    # The page refuses kindly before this limit is reached; it holds for the API too.
    return page.queue(default_concurrency_limit=1, max_size=2 * batches.limits.max_waiting)


def load_enhancer() -> Enhancer:
    """Imports the models' libraries only now: the page is served seconds earlier."""
    from enhance.build import load_enhancer

    return load_enhancer(Setup(), limits())


def main() -> None:
    """Serve the page, then load the models behind it."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(message)s")
    engine = LocalEngine(load_enhancer, limits())
    batches = Batches(engine, Path(get_upload_folder()), limits())
    estimator = EstimatorSlot()

    def load() -> None:
        try:
            if os.environ.get("ENHANCE_DOWNLOAD") == "1":
                for name in required_weights(Options()):
                    fetch(CATALOGUE[name])
        except EnhanceError as error:
            log.error("%s", error)
        try:
            estimator.fill(Estimator(engine.load()))
            log.info("models loaded")
        except EnhanceError as error:
            log.error("%s", error)
        except Exception:
            log.exception("the models could not be loaded; the first photo will try again")

    page = build_page(batches, estimator)
    page.launch(
        server_name=os.environ.get("GRADIO_SERVER_NAME", "127.0.0.1"),
        server_port=int(os.environ.get("GRADIO_SERVER_PORT", "7860")),
        prevent_thread_lock=True,
        max_file_size=batches.limits.max_bytes,
        enable_monitoring=False,
        run_history=False,
        footer_links=["api"],
        theme=gr.themes.Default(),
        css=CSS,
        ssr_mode=False,
        pwa=True,
        app_kwargs={"routes": routes(batches), "middleware": MIDDLEWARE},
    )
    threading.Thread(target=load, name="load").start()
    page.block_thread()
    engine.close()


if __name__ == "__main__":
    main()
