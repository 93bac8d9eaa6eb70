"""The page with several models behind it: nothing about it is different."""

from __future__ import annotations

from contextlib import closing
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from playwright.sync_api import Browser, expect

from enhance.engines.ray import RayEngine
from enhance.limits import Limits
from enhance.options import Setup
from enhance.pipeline.enhancer import load_enhancer
from tests.server import running
from tests.web.hands import HEADLINE, PORTRAIT, SMALL, drop
from tests.web.test_looking import report

if TYPE_CHECKING:
    from ray.cluster_utils import Cluster


def test_the_same_page_on_two_replicas(browser: Browser, cluster: Cluster, tmp_path: Path) -> None:
    load = partial(load_enhancer, Setup(device="cpu"), Limits())
    with closing(RayEngine(load, Limits(), replicas=(2, 2))) as engine:
        engine.load()  # the page finds a pool that is ready
    (tmp_path / "broken.jpg").write_bytes(b"no photo")
    pool = {"ENHANCE_ENGINE": "ray", "RAY_ADDRESS": cluster.address}
    with running(tmp_path, **pool) as server, browser.new_context() as context:
        page = context.new_page()
        page.goto(server.url)
        drop(page, PORTRAIT, tmp_path / "broken.jpg", SMALL)
        page.click("#enhance")
        expect(page.locator(HEADLINE)).to_contain_text("2 of 3 photos enhanced, 1 failed.")
        outcomes = report(page)
        page.click("#again")
        expect(page.locator(HEADLINE)).to_contain_text("Enhancing photo")
        expect(page.locator(HEADLINE)).to_contain_text("2 of 3 photos enhanced, 1 failed.")
    assert [one["name"] for one in outcomes] == [PORTRAIT.name, "broken.jpg", SMALL.name]
    assert [one["ok"] for one in outcomes] == [True, False, True]
