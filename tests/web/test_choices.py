"""Presets, what the browser remembers, and languages."""

import re
import zipfile
from pathlib import Path

from playwright.sync_api import Browser, Page, expect

from enhance.web.page.presets import PRESETS, preset_of
from tests.server import Server
from tests.web.hands import (
    HEADLINE,
    PICTURES,
    PRINT,
    SMALL,
    choose,
    drop,
    finish,
    open_settings,
    unfolded,
)


def test_presets_are_different_and_known_again() -> None:
    assert len(set(PRESETS.values())) == len(PRESETS)
    for name, options in PRESETS.items():
        assert preset_of(options) == name


def test_a_preset_sets_the_options_and_shows_its_cost(page: Page) -> None:
    drop(page, SMALL)
    unfolded(page)
    seconds = re.compile(r"\d s$")
    for preset in ("Automatic", "Old photo", "Group photo", "Quick look"):
        expect(page.locator("#preset label").filter(has_text=preset)).to_contain_text(seconds)
    background = open_settings(page, "Background").get_by_label("Background", exact=True)
    open_settings(page, "Size and file")
    choose(page, "Old photo")
    expect(background).to_have_value("Compact (clean, fast)")
    choose(page, "Quick look")
    expect(background).to_have_value("Plain resizing (instant)")
    page.get_by_role("radio", name="PNG").check()
    custom = page.locator("#preset label").filter(has_text="Custom")
    expect(custom.locator("input")).to_be_checked()


def test_settings_are_remembered(page: Page, server: Server) -> None:
    drop(page, SMALL)
    choose(page, "Group photo")
    group = page.locator("#preset label").filter(has_text="Group photo")
    page.wait_for_url(re.compile("min_face=12"))
    page.goto(server.url)  # without them in the address
    drop(page, SMALL)
    unfolded(page)
    expect(group.locator("input")).to_be_checked()


def test_a_link_opens_the_page_with_its_settings(page: Page, server: Server) -> None:
    page.goto(f"{server.url}?size=3x&only_restore_blurred=False&quality=abc&files=x&tile=7")
    drop(page, SMALL)
    settings = open_settings(page, "Size and file")
    expect(settings.get_by_label("Size", exact=True)).to_have_value("As the photo needs")
    page.goto(f"{server.url}?upscale=3&only_restore_blurred=False&quality=abc&files=x")
    drop(page, SMALL)
    settings = open_settings(page, "Size and file")
    expect(settings.get_by_label("Size", exact=True)).to_have_value("3x")
    open_settings(page, "Faces")
    expect(settings.get_by_label("Leave sharp faces alone")).not_to_be_checked()
    expect(page.locator("#preset input:checked")).to_have_value("custom")
    page.wait_for_url(re.compile(r"\?size=3x&only_restore_blurred=False$"))


def test_a_size_is_picked_or_typed(page: Page) -> None:
    example, status = page.locator("#name_example"), page.locator("#estimate")
    drop(page, SMALL)
    settings = open_settings(page, "Size and file")
    settings.get_by_label("File name").fill("{stem}@{upscale}x")
    size = settings.get_by_label("Size", exact=True)
    size.click()
    page.get_by_role("option", name="4K").click()
    page.wait_for_url(re.compile("size=3840"))
    expect(example).to_have_text("small_portrait.jpg → small_portrait@19.2x.jpg")
    size.fill("min:100")
    size.press("Enter")
    expect(example).to_have_text("small_portrait.jpg → small_portrait@1x.jpg")
    size.fill("2")
    size.press("Tab")
    expect(status).to_contain_text("size must be auto, a factor from 0.25x to 4x, such as 2x")
    size.fill("1.5x")
    page.click("#enhance")  # without leaving the field first
    finish(page, 1)
    expect(page.locator(HEADLINE)).to_be_visible()
    page.wait_for_url(re.compile("size=1.5x"))


def test_results_are_named_by_a_pattern(page: Page) -> None:
    example = page.locator("#name_example")
    drop(page, SMALL, PRINT)
    open_settings(page, "Size and file")
    expect(example).to_have_text("small_portrait.jpg → small_portrait_enhanced.jpg")
    field = page.get_by_label("File name")
    field.press("End")
    field.press_sequentially("/")
    expect(example).to_contain_text("must not contain /")
    page.click("#enhance")
    expect(page.locator(".toast-body")).to_contain_text("must not contain /")
    field.fill("{index} {stem}@{upscale}x")
    field.press("Tab")
    expect(example).to_have_text("small_portrait.jpg → 001 small_portrait@2x.jpg")
    choose(page, "Quick look")
    expect(example).to_have_text("small_portrait.jpg → 001 small_portrait@1x.jpg")
    expect(page.locator("#preset input:checked")).to_have_value("fast")
    page.wait_for_url(re.compile("name=%7Bindex%7D"))
    page.click("#enhance")
    finish(page, 2)
    with page.expect_download() as download:
        page.click("#zip")
    with zipfile.ZipFile(download.value.path()) as archive:
        assert archive.namelist()[:2] == ["001 small_portrait@1x.jpg", "002 old_print@1x.jpg"]
    field.fill("")
    field.press("Tab")
    expect(example).to_have_text("small_portrait.jpg → small_portrait_enhanced.jpg")


def test_the_page_speaks_chinese(browser: Browser, server: Server, corrupt: Path) -> None:
    with browser.new_context(locale="zh-CN") as context:
        page = context.new_page()
        page.goto(server.url)
        expect(page.locator("#enhance")).to_have_text("开始增强")
        drop(page, SMALL, corrupt)
        page.click("#enhance")
        expect(page.locator(HEADLINE)).to_contain_text("失败")
        expect(page.locator(PICTURES).nth(1)).to_have_attribute("alt", "✕ 失败\ncorrupt.jpg")
        words = "".join(page.locator("body").inner_text().split())
        for english in ("Enhance", "photos", "failed", "Download", "damaged", "Details"):
            assert english not in words, f"“{english}” is not translated"
