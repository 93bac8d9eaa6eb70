"""What is done is remembered: through crashes, and by several processes at once."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from enhance.jobs.folder import Entry
from enhance.jobs.local_folder import LocalFolder, local_entry
from enhance.jobs.manifests import LOCK, NAME, Manifest
from enhance.records import Failure, Report, Result

ROOT = Path(__file__).parents[1]


def result(filename: str = "a_enhanced.png", data: bytes = b"pixels") -> Result:
    report = Report("a.png", (1, 1), (1, 1), (), (), "none", "lanczos", "d", "m", 1, "cpu", "fp32")
    return Result(0, "a.png", filename, data, report)


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    path = tmp_path / "a.png"
    path.write_bytes(b"photo")
    return path


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "out"


def opened(out: Path, wanted: str = "x2") -> Manifest:
    return Manifest(LocalFolder(out), wanted)


@pytest.fixture
def manifest(out: Path) -> Iterator[Manifest]:
    with closing(opened(out)) as one:
        yield one


def entry_of(path: Path) -> Entry:
    return local_entry(path.name, path.absolute(), path.is_symlink())


def somewhere(source: str) -> Entry:
    """A photo that nobody will read."""
    return Entry(source, source[1:], 1, "1")


def line_of(entry: Entry, sha256: str = "", **outcome: object) -> dict[str, Any]:
    """A line of the manifest, as every version has written it."""
    state = {"source": entry.source, "size": entry.size, "version": entry.version}
    return {**state, "wanted": "x2", "sha256": sha256, **outcome}


def reopened(out: Path, entry: Entry, wanted: str = "x2") -> str | None:
    with closing(opened(out, wanted)) as again:
        return again.find(entry)


def test_what_was_saved_is_found_by_this_and_the_next_process(
    manifest: Manifest, out: Path, photo: Path
) -> None:
    entry = entry_of(photo)
    assert manifest.find(entry) is None
    name = manifest.save(entry, "", result())
    assert name == "a_enhanced.png" and (out / name).read_bytes() == b"pixels"
    assert manifest.find(entry) == reopened(out, entry) == name


def test_a_line_is_what_earlier_versions_wrote_and_read(manifest: Manifest, out: Path) -> None:
    done, failed = somewhere("/ä.png"), somewhere("/b.png")
    manifest.save(done, "5e", result())
    manifest.fail(failed, "", Failure(0, "b.png", "“b.png” is damaged.", "UnreadablePhoto"))
    digest = hashlib.sha256(b"pixels").hexdigest()
    said = (
        '{"source": "/\\u00e4.png", "size": 1, "version": "1", "wanted": "x2", "sha256": "5e", '
        f'"file": "a_enhanced.png", "bytes": 6, "result_sha256": "{digest}"}}\n'
        '{"source": "/b.png", "size": 1, "version": "1", "wanted": "x2", "sha256": "", '
        '"failed": "UnreadablePhoto", "reason": "\\u201cb.png\\u201d is damaged."}\n'
    )
    assert (out / NAME).read_text() == said
    first = json.loads(said.splitlines()[0])
    del first["result_sha256"]  # of 0.2.0
    (out / NAME).write_text(json.dumps(first) + "\n")
    assert reopened(out, done) == "a_enhanced.png"


def test_other_options_and_another_photo_are_to_be_done(
    manifest: Manifest, out: Path, photo: Path
) -> None:
    entry = entry_of(photo)
    manifest.save(entry, "", result())
    assert reopened(out, entry, "x4") is None
    os.utime(photo, ns=(1, 1))
    assert reopened(out, entry_of(photo)) is None
    photo.write_bytes(b"another photo")
    os.utime(photo, ns=(int(entry.version), int(entry.version)))
    assert reopened(out, entry_of(photo)) is None


@pytest.mark.parametrize("left", [None, b"pix"])
def test_a_result_that_is_gone_or_cut_off_is_to_be_done(
    manifest: Manifest, out: Path, photo: Path, left: bytes | None
) -> None:
    entry = entry_of(photo)
    path = out / manifest.save(entry, "", result())
    path.unlink() if left is None else path.write_bytes(left)
    assert manifest.find(entry) is None and reopened(out, entry) is None


def test_a_folder_that_is_gone_or_a_link_since_is_noticed_between_runs(
    manifest: Manifest, out: Path, photo: Path, tmp_path: Path
) -> None:
    entry, folder = entry_of(photo), out / "sub"
    manifest.save(entry, "", result("sub/a.png"))
    shutil.rmtree(folder)
    manifest.check()
    assert (out / manifest.save(entry, "", result("sub/a.png"))).exists()
    shutil.rmtree(folder)
    folder.symlink_to(tmp_path)
    manifest.check()
    with pytest.raises(OSError, match="leads out of"):
        manifest.save(entry, "", result("sub/b.png"))


def test_a_manifest_that_is_a_link_for_a_while_is_refused_that_long(
    manifest: Manifest, out: Path, photo: Path
) -> None:
    entry = entry_of(photo)
    name = manifest.save(entry, "", result())
    (out / NAME).rename(out / "kept")
    (out / NAME).symlink_to(photo)
    for _ in range(2):
        with pytest.raises(OSError):
            manifest.check()
    (out / NAME).unlink()
    (out / "kept").rename(out / NAME)
    manifest.check()
    assert manifest.find(entry) == name and photo.read_bytes() == b"photo"


def test_a_failure_is_written_down_and_tried_again(
    manifest: Manifest, out: Path, photo: Path
) -> None:
    entry = entry_of(photo)
    manifest.fail(entry, "", Failure(0, "a.png", "“a.png” is damaged.", "UnreadablePhoto"))
    assert reopened(out, entry) is None
    line = json.loads((out / NAME).read_text())
    assert (line["source"], line["failed"]) == (str(photo), "UnreadablePhoto")


def test_a_manifest_torn_anywhere_gives_what_its_whole_lines_say(
    manifest: Manifest, out: Path, tmp_path: Path
) -> None:
    entries = []
    for name in ("a", "b", "ü"):
        (tmp_path / name).write_bytes(b"photo")
        entries.append(entry_of(tmp_path / name))
        manifest.save(entries[-1], "", result(f"{name}.png"))
    content = (out / NAME).read_bytes()
    ends = [i + 1 for i, byte in enumerate(content) if byte == ord("\n")]
    for size in range(len(content)):
        (out / NAME).write_bytes(content[:size])
        with closing(opened(out)) as torn:
            whole = sum(end <= size for end in ends)
            assert [torn.find(one) is not None for one in entries] == [k < whole for k in range(3)]
            torn.save(entries[-1], "", result("ü.png"))
        assert reopened(out, entries[-1]) == "ü.png", "a torn line spoils the next one"


@pytest.mark.parametrize(
    "nonsense",
    [
        b"\0" * 40,
        b"5\n",
        b"[]\n",
        b'{"file": 3}\n',
        b'{"file": "a"}\n',
        b'{"file": "a", "source": "a", "size": [], "version": {}, "wanted": 1, "bytes": []}\n',
        b"[" * 100_000 + b"\n",
        b"\xff\n",
        b"\n",
        b"{",
    ],
)
def test_lines_that_say_nothing_harm_nothing(out: Path, photo: Path, nonsense: bytes) -> None:
    out.mkdir()
    (out / NAME).write_bytes(nonsense)
    entry = entry_of(photo)
    with closing(opened(out)) as manifest:
        manifest.save(entry, "", result())
    assert reopened(out, entry) == "a_enhanced.png"


def test_results_of_photos_of_one_name_are_kept_apart(
    manifest: Manifest, out: Path, tmp_path: Path
) -> None:
    entries = []
    for folder in ("one", "two", "three"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "a.png").write_bytes(folder.encode())
        entries.append(entry_of(tmp_path / folder / "a.png"))
    names = [manifest.save(entry, "", result(data=entry.source.encode())) for entry in entries]
    assert names == ["a_enhanced.png", "a_enhanced_2.png", "a_enhanced_3.png"]
    with closing(opened(out)) as again:
        assert again.save(entries[1], "", result(data=b"new")) == "a_enhanced_2.png"
    assert (out / "a_enhanced.png").read_bytes() == entries[0].source.encode()


def test_what_a_killed_run_left_is_removed_and_nothing_else(
    manifest: Manifest, out: Path, photo: Path
) -> None:
    code = """
import os, signal, sys
from pathlib import Path
from tests.test_manifest import entry_of, opened, result
os.link = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
opened(Path(sys.argv[1])).save(entry_of(Path(sys.argv[2])), "", result())
"""
    mine = {f".{'0123456789abcdef' * 2}.part", ".mine.part", "film.part", ".enhance-1-2.part"}
    for name in mine:
        (out / name).write_bytes(b"mine")
    subprocess.run([sys.executable, "-c", code, out, photo], cwd=ROOT, check=False)
    inside = {path.name for path in out.iterdir()}
    (left,) = inside - mine - {LOCK, NAME}
    assert left.endswith(".part") and (out / left).read_bytes() == b"pixels"
    with closing(opened(out)) as again:
        again.save(entry_of(photo), "", result())
    assert {path.name for path in out.iterdir()} == {*mine, LOCK, NAME, "a_enhanced.png"}


def test_four_processes_write_two_hundred_lines_into_one_manifest(
    out: Path, tmp_path: Path
) -> None:
    code = """
import sys
from pathlib import Path
from tests.test_manifest import opened, result, somewhere
manifest = opened(Path(sys.argv[1]))
for number in range(50):
    entry = somewhere(f"/{sys.argv[2]}/{number}.png")
    manifest.save(entry, "", result(f"{number}.png", entry.source.encode()))
"""
    writers = [
        subprocess.Popen([sys.executable, "-c", code, out, str(number)], cwd=ROOT)
        for number in range(4)
    ]
    assert [writer.wait(120) for writer in writers] == [0] * 4
    lines = [json.loads(line) for line in (out / NAME).read_text().splitlines()]
    assert len(lines) == len({line["source"] for line in lines}) == 200
    assert len({line["file"] for line in lines}) == 200, "no result over another photo's"
    for line in lines:
        assert (out / line["file"]).read_bytes() == line["source"].encode()
