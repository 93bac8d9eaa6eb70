"""Who prefers Chinese gets all of the page in Chinese; everybody else gets English."""

import json
import urllib.request
from typing import Any, get_args

import gradio as gr
import pytest
from playwright.sync_api import Browser, expect

from enhance.i18n import joined, say
from enhance.models.catalogue import Kind, option_values
from enhance.options import FaceChoice, OutputFormat
from enhance.web.language import CHINESE, Language, language_of, translated
from enhance.web.page.presets import PRESETS
from tests.server import Server
from tests.web.hands import SMALL, drop, open_settings


@pytest.mark.parametrize(
    ("accepted", "language"),
    [
        ("zh-CN", "zh"),
        ("zh", "zh"),
        ("ZH-Hant-TW", "zh"),
        ("zh-HK,zh;q=0.9,en;q=0.8", "zh"),
        ("ja,zh-CN;q=0.9,en;q=0.8", "zh"),
        ("zh-CN,en", "zh"),
        ("en-US,en;q=0.9,zh-CN;q=0.8", "en"),
        ("en,zh-CN", "en"),
        ("de-DE,de;q=0.9", "en"),
        ("zha", "en"),
        ("*", "en"),
        ("", "en"),
    ],
)
def test_the_language_is_the_one_ranked_first(accepted: str, language: Language) -> None:
    assert language_of(gr.Request(headers={"accept-language": accepted})) == language


def test_without_a_request_or_its_header_it_is_english() -> None:
    assert language_of(None) == "en"
    assert language_of(gr.Request(headers={})) == "en"


def test_sentences_are_translated_with_what_they_hold() -> None:
    inner = say("{hours} h {minutes} min", hours=1, minutes=5)
    sentence = say("{count} photos: about {time}.", count=3, time=inner)
    assert translated(sentence, "zh") == "3 张照片：约 1 小时 5 分钟。"
    assert translated(sentence, "en") == "3 photos: about 1 h 5 min."


def test_numbers_are_formatted_by_the_translation() -> None:
    assert translated(say("{seconds:.1f} s", seconds=2.64), "zh") == "2.6 秒"


def test_joined_sentences_are_translated_one_by_one() -> None:
    together = joined(" · ", [say("1 face"), "photo.jpg", say("{seconds:.0f} s", seconds=3)])
    assert translated(together, "zh") == "1 张人脸 · photo.jpg · 3 秒"


def test_what_has_no_translation_stays_english() -> None:
    sentence = say("Nobody translated {this}: {seconds}.", this=1, seconds=say("1 face"))
    assert translated(sentence, "zh") == "Nobody translated 1: 1 张人脸."
    assert translated("photo.jpg", "zh") == "photo.jpg"


def test_words_are_translated() -> None:
    assert translated("Enhance", "zh") == "开始增强"
    assert translated("Enhance", "en") == "Enhance"


def test_no_value_of_an_option_is_taken_for_a_text() -> None:
    """The page's texts are translated wherever they stand, so values must not look like them."""
    values = {*get_args(FaceChoice), *get_args(OutputFormat)}
    values |= {value for kind in get_args(Kind) for value in option_values(kind)}
    assert not (values | set(PRESETS)) & set(CHINESE)


@pytest.mark.parametrize(
    "visitor",
    [
        {"locale": "zh-CN"},
        {"locale": "zh-TW"},
        {"locale": "zh-HK"},
        {"locale": "zh"},
        {"extra_http_headers": {"Accept-Language": "ja,zh;q=0.9,en;q=0.8"}},
    ],
)
def test_the_page_in_chinese(browser: Browser, server: Server, visitor: dict[str, Any]) -> None:
    with browser.new_context(**visitor) as context:
        page = context.new_page()
        said: list[str] = []
        page.on("console", lambda message: said.append(message.text))
        page.goto(server.url)
        expect(page.locator("#enhance")).to_have_text("开始增强")
        expect(page).to_have_title("照片增强")
        expect(page.locator("#files")).to_contain_text("将文件拖放到此处")  # Gradio's own
        expect(page.locator("#limits")).to_contain_text("张照片")  # from a handler
        assert not said
        drop(page, SMALL)  # which shows the settings
        open_settings(page, "人脸")
        open_settings(page, "尺寸与文件")
        expect(page.get_by_label("全部", exact=True)).to_be_visible()  # a choice
        expect(
            page.get_by_text("默认将照片放大到两倍，除非照片已经够大。")
        ).to_be_visible()  # an info
        shown = set(page.locator("body").inner_text().splitlines())
        assert not shown & {english for english, chinese in CHINESE.items() if english != chinese}


@pytest.mark.parametrize("locale", ["en-US", "de-DE"])
def test_the_page_in_english(browser: Browser, server: Server, locale: str) -> None:
    with browser.new_context(locale=locale) as context:
        page = context.new_page()
        said: list[str] = []
        page.on("console", lambda message: said.append(message.text))
        page.goto(server.url)
        expect(page.locator("#enhance")).to_have_text("Enhance")
        expect(page).to_have_title("Photo enhancer")
        expect(page.locator("#limits")).to_contain_text("Up to 500 photos")
        assert not set(page.locator("body").inner_text().splitlines()) & set(CHINESE.values())
        assert not said


def test_caches_are_told_that_the_page_depends_on_the_language(server: Server) -> None:
    lengths = set()
    for accepted in ("zh", "en"):
        for method in ("GET", "HEAD"):
            request = urllib.request.Request(
                server.url, headers={"Accept-Language": accepted}, method=method
            )
            with urllib.request.urlopen(request) as response:
                assert "Accept-Language" in response.headers["Vary"]
                lengths.add((accepted, int(response.headers["Content-Length"])))
    assert len(lengths) == 2  # GET and HEAD agree, the languages do not


def test_the_api_is_described_in_english(server: Server) -> None:
    request = urllib.request.Request(
        f"{server.url}/gradio_api/info", headers={"Accept-Language": "zh-CN"}
    )
    with urllib.request.urlopen(request) as response:
        endpoints = json.load(response)["named_endpoints"]
    labels = {parameter["label"] for parameter in endpoints["/enhance"]["parameters"]}
    assert {"Size", "Faces", "Tile size"} <= labels
