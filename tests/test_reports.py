"""Reports of a batch for machines and spreadsheets."""

import csv
import io
import json

from enhance.pipeline.reports import as_csv, as_json
from enhance.records import Face, Failure, Report

FACE = Face((1.0, 2.0, 30.0, 40.0), 0.98, ((1.0, 1.0),) * 5)
DONE = Report(
    name='=HYPERLINK("http://x")',
    source_size=(100, 80),
    output_size=(200, 160),
    faces=(FACE, FACE),
    restored=(1,),
    restorer="bundled",
    background="lanczos",
    detector="retinaface-mobilenet",
    masker="feather",
    upscale=2,
    device="cpu",
    precision="bf16",
    seconds={"detect": 0.25, "restore": 1.5},
    notes=("One.", "Two."),
)
BROKEN = Failure(1, "b.jpg", "“b.jpg” is damaged.", "UnreadablePhoto")


def test_json_has_everything() -> None:
    done, broken = json.loads(as_json([DONE, BROKEN]))
    assert done["ok"] and done["faces"][0]["box"] == [1, 2, 30, 40]
    assert done["restored"] == [1] and done["seconds"] == {"detect": 0.25, "restore": 1.5}
    assert not broken["ok"] and broken["reason"] == "“b.jpg” is damaged."


def test_csv_has_a_line_per_photo_and_no_formula() -> None:
    text = as_csv([DONE, BROKEN])
    assert text.startswith("\ufeff")
    done, broken = csv.DictReader(io.StringIO(text.removeprefix("\ufeff")))
    assert done["name"] == '\'=HYPERLINK("http://x")'
    assert (done["faces"], done["restored"], done["seconds"]) == ("2", "1", "1.75")
    assert done["notes"] == "One. Two."
    assert broken["ok"] == "False" and broken["reason"] == "“b.jpg” is damaged."


def test_every_beginning_of_a_formula_is_defused() -> None:
    for start in "=+-@\t\r":
        text = as_csv([Failure(0, f"{start}1+1", "x", "y")])
        (row,) = csv.DictReader(io.StringIO(text.removeprefix("\ufeff"), newline=""))
        assert row["name"] == f"'{start}1+1"
