"""Where results are written: never over anything that the command did not put there itself."""

import json
import os
import resource
import unicodedata
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import fsspec
import pytest
from fsspec import AbstractFileSystem

from enhance import files
from enhance.cli import main
from enhance.files import UnsafeName, safe
from enhance.jobs.folder import Folder
from enhance.jobs.local_folder import LocalFolder
from enhance.jobs.manifests import LOCK, NAME, Bucket
from enhance.jobs.sources import Shard, named
from enhance.records import Source
from enhance.web.batches.entries import Entry
from tests.copying import copying
from tests.test_manifest import entry_of, line_of, opened, result, somewhere

MINE = b"hours of work"

__all__ = ["copying"]  # a fixture


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    folder.mkdir()
    (folder / "a.jpg").write_bytes(b"photo a")
    return folder


@pytest.fixture
def out(tmp_path: Path) -> Path:
    folder = tmp_path / "out"
    folder.mkdir()
    return folder


@pytest.fixture
def enhance(copying: None, capsys: pytest.CaptureFixture[str]) -> Any:
    def enhance(*arguments: object, code: int = 0) -> tuple[list[dict[str, Any]], dict[str, Any]]:
        """What the command says of each photo, and its last line."""
        capsys.readouterr()
        assert main([*map(str, arguments), "--json", "--quiet"]) == code
        *lines, last = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
        return lines, last

    return enhance


def visible(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()} - {NAME, LOCK}


def test_a_file_that_is_there_already_is_kept(enhance: Any, photos: Path, out: Path) -> None:
    (out / "a_enhanced.jpg").write_bytes(MINE)
    (line,), _ = enhance(photos, "-o", out)
    assert line["file"] == str(out / "a_enhanced_2.jpg")
    assert line["notes"][-1].startswith("The name a_enhanced.jpg was taken")
    assert (out / "a_enhanced.jpg").read_bytes() == MINE
    assert enhance(photos, "-o", out)[1]["skipped"] == 1
    enhance("run", photos, "-o", out, "--overwrite")
    assert visible(out) == {"a_enhanced.jpg", "a_enhanced_2.jpg"}, "its own result is replaced"


def test_people_are_told_why_a_name_has_a_number(
    copying: None, photos: Path, out: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (out / "a_enhanced.jpg").write_bytes(MINE)
    assert main([str(photos), "-o", str(out)]) == 0
    first, second, _ = capsys.readouterr().out.splitlines()
    assert first.startswith("a.jpg → a_enhanced_2.jpg: ")
    assert second.strip().startswith("The name a_enhanced.jpg was taken")


@pytest.mark.parametrize("retouched", [MINE, b"PHOTO A, x2"])
def test_a_retouched_result_is_kept(
    enhance: Any, photos: Path, out: Path, retouched: bytes
) -> None:
    enhance(photos, "-o", out, "--size", "2x")
    before = (out / "a_enhanced.jpg").stat()
    (out / "a_enhanced.jpg").write_bytes(retouched)
    os.utime(out / "a_enhanced.jpg", ns=(before.st_mtime_ns, before.st_mtime_ns))
    for more in (["--size", "2x"], ["--size", "3x"], ["--size", "3x", "--overwrite"]):
        enhance(photos, "-o", out, *more)
        assert (out / "a_enhanced.jpg").read_bytes() == retouched
    assert visible(out) == {"a_enhanced.jpg", "a_enhanced_2.jpg"}


def test_photos_in_the_folder_of_the_results_are_kept(enhance: Any, photos: Path) -> None:
    (photos / "a_enhanced.jpg").write_bytes(b"photo b")
    before = {path: path.read_bytes() for path in photos.iterdir()}
    for name in ("{stem}_enhanced", "{stem}"):
        for sent in (photos, photos / "a.jpg"):
            enhance(sent, "-o", photos, "--name", name, "--overwrite")
            assert before == {path: path.read_bytes() for path in before}


def test_photos_that_are_links_are_kept(enhance: Any, photos: Path, tmp_path: Path) -> None:
    chosen = tmp_path / "chosen"
    chosen.mkdir()
    (chosen / "a.jpg").symlink_to(photos / "a.jpg")
    for command in ([], ["run"]):
        for size in ("2x", "3x"):
            enhance(*command, chosen, "-o", photos, "--name", "{stem}", "--size", size)
            assert (photos / "a.jpg").read_bytes() == b"photo a"
            assert (chosen / "a.jpg").is_symlink()
            assert visible(photos) == {"a.jpg", "a_2.jpg"}


def test_links_among_the_results_are_kept_and_not_followed(
    enhance: Any, photos: Path, out: Path, tmp_path: Path
) -> None:
    (out / "a_enhanced.jpg").symlink_to(photos / "a.jpg")
    (out / "a_enhanced_2.jpg").symlink_to(tmp_path / "nowhere.jpg")
    os.link(photos / "a.jpg", out / "a_enhanced_3.jpg")
    (out / "a_enhanced_4.jpg").mkdir()
    (line,), _ = enhance(photos, "-o", out)
    assert line["file"] == str(out / "a_enhanced_5.jpg")
    assert (out / "a_enhanced.jpg").is_symlink() and (out / "a_enhanced_2.jpg").is_symlink()
    assert (out / "a_enhanced_3.jpg").samefile(photos / "a.jpg")
    assert visible(photos) == {"a.jpg"} and visible(tmp_path) == {"photos", "out"}


def test_a_linked_folder_among_the_results_leads_nowhere(
    enhance: Any, photos: Path, out: Path, tmp_path: Path
) -> None:
    (photos / "in").mkdir()
    (photos / "a.jpg").rename(photos / "in" / "a.jpg")
    (tmp_path / "elsewhere").mkdir()
    (out / "in").symlink_to(tmp_path / "elsewhere")
    (line,), _ = enhance("run", photos, "-o", out, code=1)
    assert "“in/a.jpg” could not be saved" in line["reason"]
    assert "leads out of" in line["reason"]
    assert visible(tmp_path / "elsewhere") == set()


def test_a_linked_folder_that_leads_to_itself_is_one_failure(
    enhance: Any, photos: Path, out: Path
) -> None:
    (photos / "in").mkdir()
    (photos / "in" / "b.jpg").write_bytes(b"photo b")
    (out / "in").symlink_to(out / "in")
    _, last = enhance("run", photos, "-o", out, code=1)
    assert (last["done"], last["failed"]) == (1, 1)
    with pytest.raises(SystemExit):
        main(["run", str(photos), "-o", str(out / "in")])


def test_a_photo_that_has_become_a_link_to_its_result_is_not_written_over(
    enhance: Any, photos: Path, out: Path
) -> None:
    enhance(photos, "-o", out, "--size", "2x")
    (photos / "a.jpg").unlink()
    (photos / "a.jpg").symlink_to(out / "a_enhanced.jpg")
    for command in ([], ["run"]):
        _, last = enhance(*command, photos, "-o", out, "--size", "3x")
        assert last["left_out"] == {"earlier result": 1}
        assert (out / "a_enhanced.jpg").read_bytes() == b"photo a, x2"


def test_a_manifest_cannot_make_a_photo_a_result(enhance: Any, photos: Path) -> None:
    digest = files.sha256(photos / "a.jpg")
    line = line_of(entry_of(photos / "a.jpg"), file="a.jpg", bytes=7, result_sha256=digest)
    (photos / NAME).write_text(json.dumps(line) + "\n")
    enhance("run", photos, "-o", photos.parent / "out")
    with closing(opened(photos, "x3")) as manifest:
        again = manifest.save(entry_of(photos / "a.jpg"), "", result("a.jpg"))
    assert again == "a_2.jpg" and (photos / "a.jpg").read_bytes() == b"photo a"


def test_results_among_the_photos_are_no_photos(enhance: Any, photos: Path) -> None:
    _, last = enhance(photos, "-o", photos)
    assert last["done"] == 1
    (photos / "linked.jpg").symlink_to(photos / "a_enhanced.jpg")
    for sent in ([photos], sorted(photos.glob("*.jpg"))):
        _, last = enhance(*sent, "-o", photos)
        assert (last["done"], last["skipped"]) == (0, 1)
        assert last["left_out"] == {"earlier result": 2}
    (photos / "linked.jpg").unlink()
    (photos / "A_ENHANCED.JPG").write_bytes(b"photo a, x2")
    assert enhance(photos, "-o", photos)[1]["done"] == 1, "a photo whose name differs in case"


def test_without_its_manifest_nothing_is_lost(enhance: Any, photos: Path) -> None:
    enhance(photos, "-o", photos, "--size", "2x")
    (photos / NAME).unlink()
    before = {path: path.read_bytes() for path in photos.glob("*.jpg")}
    enhance(photos, "-o", photos, "--size", "3x")
    assert before == {path: path.read_bytes() for path in before}
    assert (photos / "a_enhanced_2.jpg").read_bytes() == b"photo a, x3"


def test_after_a_crash_before_the_line_the_result_keeps_its_name(
    enhance: Any, photos: Path, out: Path
) -> None:
    enhance(photos, "-o", out, "--size", "2x")
    (out / NAME).write_bytes(b"")
    enhance(photos, "-o", out, "--size", "2x")
    assert visible(out) == {"a_enhanced.jpg"}
    assert enhance(photos, "-o", out, "--size", "2x")[1]["skipped"] == 1
    enhance(photos, "-o", out, "--size", "3x")
    assert (out / "a_enhanced.jpg").read_bytes() == b"photo a, x2", "it might be anybody's"


def test_runs_in_folders_above_and_below_do_not_meet(out: Path, photos: Path) -> None:
    entry = entry_of(photos / "a.jpg")
    with closing(opened(out)) as above, closing(opened(out / "in")) as below:
        writing = below.folder._written("b.png", b"half")
        with writing as partial:
            assert above.save(entry, "", result("in/a.png", b"above")) == "in/a.png"
            assert partial.read_bytes() == b"half"
        other = entry_of(photos / "b.jpg")
        assert below.save(other, "", result("a.png", b"below")) == "a_2.png"
    assert (out / "in" / "a.png").read_bytes() == b"above"


def test_a_result_that_appears_meanwhile_is_kept(
    out: Path, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(LocalFolder, "exists", lambda *_: False)  # looked too early
    (out / "a.png").write_bytes(MINE)
    with closing(opened(out)) as manifest:
        assert manifest.save(entry_of(photos / "a.jpg"), "", result("a.png")) == "a_2.png"
    assert (out / "a.png").read_bytes() == MINE


def test_file_systems_without_hard_links(
    enhance: Any, photos: Path, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    enhance(photos, "-o", out)
    assert visible(out) == {"a_enhanced.jpg"}
    (out / "b.part").write_bytes(b"")
    with pytest.raises(FileExistsError):
        files.create(out / "a_enhanced.jpg", out / "b.part")


def test_names_that_differ_in_form_only_are_kept_apart(out: Path) -> None:
    composed, decomposed = (unicodedata.normalize(form, "Ä.png") for form in ("NFC", "NFD"))
    with closing(opened(out)) as manifest:
        names = [
            manifest.save(somewhere(f"/{number}"), "", result(name, b"%d" % number))
            for number, name in enumerate((composed, decomposed, composed.lower()))
        ]
    assert [unicodedata.normalize("NFC", name) for name in names] == ["Ä.png", "Ä_2.png", "ä_3.png"]
    shards = [Shard(number, 7) for number in range(1, 8)]
    one, other = ([part.holds(f"in/{name}") for part in shards] for name in (composed, decomposed))
    assert one == other, "the same part of the photos"


@pytest.mark.parametrize("make", [os.link, os.symlink])
def test_a_manifest_that_is_a_link_is_refused(
    copying: None, photos: Path, out: Path, make: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    make(photos / "a.jpg", out / NAME)
    with pytest.raises(SystemExit):
        main([str(photos), "-o", str(out)])
    assert "cannot be the folder for the results" in capsys.readouterr().err
    assert (photos / "a.jpg").read_bytes() == b"photo a"


def test_a_manifest_that_is_no_file_is_refused(photos: Path, out: Path) -> None:
    os.mkfifo(out / NAME)
    with pytest.raises(OSError, match="remove it"):
        opened(out)


def test_a_line_that_does_not_fit_on_the_disk_is_an_error(out: Path, photos: Path) -> None:
    entry = entry_of(photos / "a.jpg")
    with closing(opened(out)) as manifest:
        manifest.save(entry, "", result("a.png"))
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, ((out / NAME).stat().st_size + 40, hard))
        try:
            with pytest.raises(OSError, match="too large"):
                manifest.save(entry_of(photos / "b.jpg"), "", result("b.png"))
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        third = entry_of(photos / "c.jpg")
        assert manifest.save(third, "", result("b.png", b"other")) == "b_2.png"
        assert (out / "b.png").read_bytes() == b"pixels"
    with closing(opened(out)) as again:
        assert again.find(entry) and again.find(third)


def test_names_on_the_console_are_only_text(
    copying: None, photos: Path, out: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (photos / "\x1b]0;mine\x07\u202e.jpg").write_bytes(b"photo b")
    (photos / "gone\x9b2J.jpg").symlink_to(photos / "nowhere")
    assert main([str(photos), "-o", str(out)]) == 1
    said = "".join(capsys.readouterr())
    assert "\\x1b]0;mine\\x07\\u202e.jpg → " in said and "gone\\x9b2J.jpg" in said
    assert not set(said) & set("\x1b\x07\x9b\u202e")


NAMES = (
    "",
    "/a",
    "a//b",
    "a/",
    ".",
    "..",
    "../a",
    "a/../b",
    "a/.",
    "a\nb",
    "\x1b/b",
    "a\x9b",
    "\0",
)
FOR_WINDOWS = ("C:a", "C:\\a", "a\\..\\b", "a/NUL", "a:b", "\\\\host\\a", "con.jpg", "a./b", "a?")


@pytest.mark.parametrize("name", NAMES)
def test_names_that_lead_out_of_a_folder_are_refused(name: str) -> None:
    with pytest.raises(UnsafeName, match="is not a usable name"):
        safe(name)


@pytest.mark.parametrize("name", FOR_WINDOWS)
def test_names_that_lead_out_of_a_folder_on_windows(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert safe(name) == name
    monkeypatch.setattr(files, "_FOR_WINDOWS", True)
    assert safe("ä ö/b.jpg") == "ä ö/b.jpg"
    with pytest.raises(UnsafeName, match="is not a usable name"):
        safe(name)


@pytest.mark.parametrize("file", ["/etc/passwd", "../secret", "in//a", "\u0007"])
def test_a_manifest_names_no_files_elsewhere(out: Path, file: str, tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(b"12345")
    size = Path(file).stat().st_size if file == "/etc/passwd" else 5
    entry = somewhere("/a.jpg")
    said = line_of(entry, file=file, bytes=size, result_sha256="0")
    (out / NAME).write_text(json.dumps(said) + "\n")
    with closing(opened(out)) as manifest:
        assert manifest.find(entry) is None


def test_no_name_leads_a_manifest_out_of_its_folder(out: Path) -> None:
    entry = somewhere("/a.jpg")
    store = Folder(fsspec.filesystem("memory"), "/safe")
    with closing(opened(out)) as here, closing(Bucket(store, "x2")) as there:
        for name in NAMES:
            for results in (here, there):
                with pytest.raises(OSError):
                    results.save(entry, "", result(name))
    assert visible(out) == set() and visible(out.parent) == {"out"}
    assert all("/.enhance/" in path for path in store.files.find("/safe"))


def test_no_name_leads_a_batch_out_of_its_folder(tmp_path: Path) -> None:
    path = tmp_path / "photo.jpg"
    entry = Entry(Source.of(path), path, None, path, tmp_path, take=lambda size: None)
    for name in ("../a.jpg", str(tmp_path / "a.jpg"), "a\n.jpg"):
        with pytest.raises(UnsafeName):
            entry.save(name, b"x")
    assert not list(tmp_path.rglob("*.jpg"))


def test_explicit_photos_may_be_called_anything(photos: Path) -> None:
    (photos / "a\nb.jpg").write_bytes(b"x")
    assert len(named([photos]).entries) == 2


@pytest.fixture
def memory() -> Iterator[AbstractFileSystem]:
    store = fsspec.filesystem("memory")
    store.store.clear()
    yield store
    store.store.clear()
    store.pseudo_dirs[:] = [""]


def test_objects_that_are_there_already_are_kept(
    enhance: Any, photos: Path, memory: AbstractFileSystem
) -> None:
    url = "memory://out"
    memory.pipe_file("/out/a_enhanced.jpg", MINE)
    assert enhance(photos, "-o", url)[0][0]["file"].endswith("/out/a_enhanced_2.jpg")
    retouched = "/out/a_enhanced_2.jpg"
    memory.pipe_file(retouched, b"PHOTO A, x2")
    enhance(photos, "-o", url, "--size", "3x")
    assert memory.cat_file("/out/a_enhanced.jpg") == MINE
    assert memory.cat_file(retouched) == b"PHOTO A, x2"
    assert memory.cat_file("/out/a_enhanced_3.jpg") == b"photo a, x3"
    enhance(photos, "-o", url, "--size", "4x")
    assert memory.cat_file("/out/a_enhanced_3.jpg") == b"photo a, x4"


def test_what_a_failed_fetch_left_is_removed_at_once(
    enhance: Any, out: Path, memory: AbstractFileSystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(20):
        memory.pipe_file(f"/in/{number}.jpg", b"photo")
    left: list[int] = []

    def fail(store: Folder, name: str, target: str) -> None:
        Path(target).write_bytes(b"half")
        left.append(len(list(Path(target).parent.iterdir())))
        raise OSError("the line is dead")

    monkeypatch.setattr(Folder, "fetch", fail)
    enhance("run", "memory://in", "-o", out, code=1)
    assert len(left) == 20 and max(left) <= 5, "those that are fetched at the same time"
