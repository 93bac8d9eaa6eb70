"""What a result's file says was done to the photo, as exiftool reads it."""

import json
import re
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest

from enhance.engines.local import LocalEngine
from enhance.options import Options
from enhance.photos import decode, encode
from enhance.photos.provenance import CODES, COMPOSITE, ENHANCED, Provenance, recorded
from enhance.pipeline.notes import provenance
from enhance.records import Photo, Report, Result, Source
from enhance.version import VERSION
from tests.pictures import DEEP, PHOTO, XMP
from tests.test_layers import SAMPLE
from tests.test_metadata import ENDINGS, same_xml

DONE = Provenance(ENHANCED, 'upscale=2; background=my "best" <model> ü.pth')
RDF = "xmlns:rdf='http://www.w3.org/1999/02/22-rdf-syntax-ns#'"
EXT = "xmlns:e='http://iptc.org/std/Iptc4xmpExt/2008-02-29/'"
OTHERS = "xmlns:m='http://ns.adobe.com/xap/1.0/mm/' xmlns:xmp='http://ns.adobe.com/xap/1.0/'"
EVENT = "xmlns:s='http://ns.adobe.com/xap/1.0/sType/ResourceEvent#' s:action='saved'"


def said(path: Path) -> dict[str, Any]:
    """All that exiftool finds in a file's XMP; it must have nothing to complain about."""
    command = ["exiftool", "-j", "-struct", "-a", "-warning", "-error", "-XMP:all", str(path)]
    (found,) = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
    assert not {"Warning", "Error"} & found.keys(), found
    return found


def packet(description: str) -> bytes:
    return f"<rdf:RDF {RDF} {EXT} {OTHERS}>{description}</rdf:RDF>".encode()


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("kind", ENDINGS)
def test_every_format_says_it_and_keeps_what_was_said(
    kind: str, dtype: type, tmp_path: Path
) -> None:
    pixels = PHOTO if dtype is np.uint8 else np.ascontiguousarray(DEEP[..., :3])
    path = tmp_path / f"a.{ENDINGS[kind]}"
    for xmp in (XMP, None):
        photo = Photo("a", pixels, kind, xmp=xmp)
        data, _, notes = encode(pixels, None, photo, "same", 95, done=DONE)
        assert not any("XMP" in note for note in notes)
        path.write_bytes(data)
        found = said(path)
        assert found["DigitalSourceType"] == f"{CODES}{ENHANCED}"
        assert found["CreatorTool"] == f"enhance {VERSION}"
        (event,) = found["History"]
        assert event == {
            "Action": "edited",
            "SoftwareAgent": f"enhance {VERSION}",
            "Parameters": DONE.settings,
        }
        if xmp:
            assert (found["Title"], found["City"]) == ("Mon été", "Paris")
        path.write_bytes(encode(pixels, None, photo, "same", 95, "strip", DONE)[0])
        assert said(path).keys() == {"SourceFile"}
        path.write_bytes(encode(pixels, None, photo, "same", 95, "no-location", DONE)[0])
        assert "City" not in said(path) and said(path)["History"]


@pytest.mark.parametrize("form", ["e:DigitalSourceType='{}'>", "><e:DigitalSourceType>{}<", "/>"])
@pytest.mark.parametrize(
    ("before", "done", "after"),
    [
        ("digitalCapture", ENHANCED, ENHANCED),
        (ENHANCED, COMPOSITE, COMPOSITE),
        (COMPOSITE, ENHANCED, COMPOSITE),
        ("trainedAlgorithmicMedia", COMPOSITE, "trainedAlgorithmicMedia"),
        ("digitalCapture", "", "digitalCapture"),
    ],
)
def test_what_a_machine_made_up_stays_known(
    form: str, before: str, done: str, after: str, tmp_path: Path
) -> None:
    attribute, _, element = form.format(f"{CODES}{before}").partition(">")
    if element.startswith("<"):
        element += "/e:DigitalSourceType>"
    if form == "/>":
        attribute, element = "", f"<e:DigitalSourceType rdf:resource='{CODES}{before}'/>"
    xmp = packet(f"<rdf:Description rdf:about='uuid:1' {attribute}>{element}</rdf:Description>")
    photo = Photo("a", PHOTO, "JPEG", xmp=xmp)
    path = tmp_path / "a.jpg"
    path.write_bytes(encode(PHOTO, None, photo, "same", 95, done=Provenance(done, "x"))[0])
    assert said(path)["DigitalSourceType"] == f"{CODES}{after}"
    assert said(path)["About"] == "uuid:1", "or Photoshop would take the packet for a broken one"


def test_histories_go_on_and_the_first_tool_is_remembered(tmp_path: Path) -> None:
    xmp = packet(
        "<rdf:Description xmp:CreatorTool='Camera 1.0'><m:History><rdf:Seq>"
        f"<rdf:li {EVENT}/></rdf:Seq></m:History></rdf:Description>"
    )
    once = recorded(xmp, DONE)
    assert same_xml(once.decode()).startswith(same_xml(xmp.decode())[:-200]), "nothing has moved"
    twice = recorded(once, replace(DONE, source=COMPOSITE))
    path = tmp_path / "a.jpg"
    path.write_bytes(encode(PHOTO, None, Photo("a", PHOTO, "JPEG", xmp=twice), "same", 95)[0])
    found = said(path)
    assert found["CreatorTool"] == "Camera 1.0"
    assert [event["Action"] for event in found["History"]] == ["saved", "edited", "edited"]
    assert found["DigitalSourceType"] == f"{CODES}{COMPOSITE}"
    empty = packet("<rdf:Description><m:History><rdf:Seq/></m:History></rdf:Description>")
    ElementTree.fromstring(recorded(empty, DONE))


@pytest.mark.parametrize(
    "xmp",
    [
        b"<!DOCTYPE d [<!ENTITY e 'x'>]><d>&e;</d>",
        b"<!DOCTYPE d [<!ENTITY e SYSTEM 'file:///etc/passwd'>]>" + packet("&e;"),
        packet("&e;"),
        packet("<a></b>"),
        packet("<undeclared:a/>"),
        packet("<a>" * 20_000 + "</a>" * 20_000),
        packet(" " * 1_000_000),
        packet("").decode().encode("utf-16"),
        b"<d/>",
        b"no XML",
        b"\0",
    ],
    ids=lambda xmp: repr(xmp[:30]),
)
def test_what_cannot_be_read_is_replaced_and_said(xmp: bytes, tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    photo = Photo("a", PHOTO, "PNG", xmp=xmp)
    data, _, notes = encode(PHOTO, None, photo, "same", 95, done=DONE)
    assert notes == (() if xmp == b"\0" else ("The XMP metadata was left out: it cannot be read.",))
    path.write_bytes(data)
    assert said(path)["DigitalSourceType"] == f"{CODES}{ENHANCED}"


def test_packets_made_to_take_hours_are_answered() -> None:
    for body in (
        "<City>" * 40_000,
        "<rdf:D e:DigitalSourceType=''/>" * 8_000,
        "<rdf:D>" + "<e:DigitalSourceType/>" * 11_000 + "</rdf:D>",
        "<!---->" * 35_000,
        "<rdf:D " + " ".join(f"a{i}=''" for i in range(23_000)) + "/>",
        "<rdf:D><m:History>" + "<rdf:Seq/>" * 23_000 + "</m:History></rdf:D>",
        f"<rdf:D xmlns:a='{'u' * 200_000}'>" + "<a:b/>" * 4_000 + "</rdf:D>",
        f'<rdf:D xmlns = "{"u" * 200_000}">' + "<a/>" * 4_000 + "</rdf:D>",
    ):
        try:
            assert DONE.source.encode() in recorded(packet(body), DONE) or "Source" in body
        except ValueError:
            assert body.startswith("<City>") or "xmlns" in body


def test_a_packet_that_leaves_no_room_is_kept(tmp_path: Path) -> None:
    xmp = XMP.replace(b"Paris", b"P" * (65_505 - len(XMP)))
    data, _, notes = encode(PHOTO, None, Photo("a", PHOTO, "JPEG", xmp=xmp), "same", 95, done=DONE)
    assert notes == ("The XMP metadata leaves no room for what was done to the photo.",)
    (tmp_path / "a").write_bytes(data)
    assert decode(Source.of(tmp_path / "a")).xmp == xmp


def test_only_a_model_that_makes_up_faces_makes_a_composite() -> None:
    face = ((0.0, 0.0, 9.0, 9.0), 1.0, ())
    nothing = Report(
        "a", (1, 1), (2, 2), (), (), "gfpgan-1.4", "lanczos", "d", "m", 2, "cpu", "fp32"
    )
    restored = replace(nothing, faces=(face,), restored=(0,))  # type: ignore[arg-type]
    options = Options()
    assert provenance(replace(nothing, output_size=(1, 1)), options) is None
    expected = {
        provenance(nothing, options): "",
        provenance(replace(nothing, background="compact"), options): ENHANCED,
        provenance(replace(nothing, toned=0.5), options): ENHANCED,
        provenance(replace(restored, restorer="bundled"), options): ENHANCED,
        provenance(restored, options): COMPOSITE,
        provenance(restored, Options(weight=0)): "",
        provenance(replace(restored, restorer="their own.pth"), options): COMPOSITE,
    }
    assert {made: made.source for made in expected if made} == expected
    secret = provenance(nothing, Options(name="for Anna", metadata="no-location", tone="on"))
    assert secret and secret.settings == ("upscale=2; restorer=none; background=lanczos; tone=on")


def test_results_say_what_was_done(engine: LocalEngine, tmp_path: Path) -> None:
    options = Options(restorer="bundled", background="lanczos", only_restore_blurred=False)
    (result,) = engine.run([Source.of(SAMPLE)], options)
    assert isinstance(result, Result)
    path = tmp_path / result.filename
    path.write_bytes(result.data)
    found = said(path)
    assert found["DigitalSourceType"] == f"{CODES}{ENHANCED}"
    assert re.search(
        r"^upscale=2; restorer=bundled; background=lanczos;", found["History"][0]["Parameters"]
    )
