"""`enhance run`: trees of folders, parts of them, and what must not end or spoil a run."""

import hashlib
import json
import logging
import os
import tempfile
import tracemalloc
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import fsspec
import numpy as np
import pytest
from fsspec import AbstractFileSystem
from fsspec.implementations.local import LocalFileSystem
from PIL import Image

from benchmarks.photos import astronaut
from enhance.cli import main
from enhance.engines.local import LocalEngine
from enhance.jobs.folder import Entry, Folder
from enhance.jobs.local_folder import find_folder
from enhance.jobs.manifests import FOLDER, LOCK, NAME, Bucket
from enhance.jobs.results import Ledger
from enhance.jobs.sources import Shard, below
from enhance.limits import Limits
from enhance.records import Failure, Result
from tests.test_manifest import line_of, result, somewhere

SMALL = np.ascontiguousarray(astronaut()[::16, ::16])
QUICK = ["--restorer", "none", "--background", "lanczos", "--size", "1x"]
QUICK += ["--repair", "off", "--tone", "off", "--json"]


def photo(path: Path, number: int = 0) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.fromarray(SMALL)
    image.putpixel((0, 0), (number, 0, 0))
    image.save(path)


def number_in(path: Path) -> int:
    with Image.open(path) as image:
        value = image.convert("RGB").getpixel((0, 0))
    assert isinstance(value, tuple)
    return int(value[0])


def results_in(out: Path) -> dict[str, int]:
    """Relative path → number of the photo it was made from."""
    found = (path for path in out.rglob("*") if path.is_file() and path.name not in (NAME, LOCK))
    return {path.relative_to(out).as_posix(): number_in(path) for path in found}


Told = tuple[int, list[dict[str, Any]], dict[str, Any]]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Any:
    def run(source: object, out: object, *more: str) -> Told:
        """The exit code, a record per photo, and the last line."""
        capsys.readouterr()
        code = main(["run", str(source), "-o", str(out), *QUICK, *more])
        *lines, last = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
        return code, lines, last

    return run


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    tree = tmp_path / "tree"
    names = ("z.png", "2020/a.png", "2020/b.png", "2020/may/a.png", "2021/ä ö.png", "a-b/a.png")
    for number, name in enumerate(names, 1):
        photo(tree / name, number)
    photo(tree / ".trash" / "a.png")
    photo(tree / "2020" / "._a.png")
    (tree / "2020" / "notes.txt").write_text("no photo")
    return tree


EXPECTED = {
    "z_enhanced.png": 1,
    "2020/a_enhanced.png": 2,
    "2020/b_enhanced.png": 3,
    "2020/may/a_enhanced.png": 4,
    "2021/ä ö_enhanced.png": 5,
    "a-b/a_enhanced.png": 6,
}


def test_a_tree_is_done_in_order_and_its_folders_are_kept(
    run: Any, tree: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    code, lines, last = run(tree, out)
    assert code == 0
    assert results_in(out) == EXPECTED
    names = [line["name"] for line in lines]
    assert names == sorted(names) and len(names) == 6
    assert [line["index"] for line in lines] == list(range(6))
    assert [line["source"] for line in lines] == [str(tree / name) for name in names]
    assert {line["file"] for line in lines} == {str(out / name) for name in EXPECTED}
    assert (last["done"], last["skipped"], last["failed"]) == (6, 0, 0)
    assert last["photos_per_second"] > 0


def test_photos_may_be_finished_in_any_order(
    run: Any, tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    in_order = LocalEngine.run

    class Backwards:
        """A run of an engine with several enhancers, of which the last is the fastest."""

        def __init__(self, *arguments: Any) -> None:
            self._run = in_order(*arguments)

        def __iter__(self) -> Iterator[Result | Failure]:
            return reversed(list(self._run))

        def close(self) -> None:
            self._run.close()

    monkeypatch.setattr(LocalEngine, "run", lambda *arguments: Backwards(*arguments))
    lines = run(tree, tmp_path / "out")[1]
    assert [line["index"] for line in lines] == [5, 4, 3, 2, 1, 0]
    names = sorted(line["name"] for line in lines)
    assert all(line["name"] == names[line["index"]] for line in lines)
    assert results_in(tmp_path / "out") == EXPECTED


def test_what_is_up_to_date_is_left_alone(run: Any, tree: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    run(tree, out)
    before = {name: (out / name).stat() for name in EXPECTED}
    _, lines, last = run(tree, out)
    assert (last["done"], last["skipped"]) == (0, 6) and all(line["skipped"] for line in lines)
    assert {name: (out / name).stat() for name in EXPECTED} == before
    photo(tree / "2020" / "a.png", 99)
    photo(tree / "2022" / "new.png", 7)
    (out / "z_enhanced.png").unlink()
    assert run(tree, out)[2]["done"] == 3, "one changed, one new, one lost"
    assert results_in(out)["2020/a_enhanced.png"] == 99
    assert run(tree, out, "--size", "2x")[2]["done"] == 7, "other options"
    assert main([str(tree), "-o", str(out), *QUICK, "--size", "2x"]) == 0
    assert len(results_in(out)) == 7, "the command for photos knows the same manifest"


def test_urls_of_local_folders_are_those_folders(run: Any, tree: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert run(tree.as_uri(), out.as_uri())[2]["done"] == 6
    assert run(tree, out)[2]["skipped"] == 6


def test_the_manifest_says_which_bytes_became_which(run: Any, tree: Path, tmp_path: Path) -> None:
    run(tree, tmp_path / "out")
    lines = [json.loads(line) for line in (tmp_path / "out" / NAME).read_text().splitlines()]
    assert len(lines) == 6 and len({line["wanted"] for line in lines}) == 1
    for line in lines:
        source = Path(line["source"])
        assert line["sha256"] == hashlib.sha256(source.read_bytes()).hexdigest()
        assert line["file"].startswith(source.relative_to(tree).with_suffix("").as_posix())


def test_photos_of_one_name_are_kept_apart_in_every_shard(run: Any, tmp_path: Path) -> None:
    tree, out = tmp_path / "tree", tmp_path / "out"
    for number, name in enumerate(("a.bmp", "a.png", "a.tif", "b/a.png", "b/A.bmp"), 1):
        photo(tree / name, number)
    for _ in range(2):
        for shard in ("3/3", "1/3", "2/3"):
            assert run(tree, out, "--shard", shard, "--format", "png")[0] == 0
    assert results_in(out) == {
        "a_enhanced.png": 1,
        "a_enhanced_2.png": 2,
        "a_enhanced_3.png": 3,
        "b/A_enhanced.png": 5,
        "b/a_enhanced_2.png": 4,
    }


def test_every_photo_is_in_one_shard_whatever_else_there_is(tmp_path: Path) -> None:
    names = {f"{number % 7}/{number}.jpg" for number in range(700)}
    for name in names:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()

    tree, out = find_folder(str(tmp_path)), find_folder(str(tmp_path / "out"))

    def shards(count: int) -> list[set[str]]:
        parts = (Shard(number, count) for number in range(1, count + 1))
        found = [below(tree, out, part, lambda: None) for part in parts]
        assert {one.found for one in found} == {len(names)}
        return [{entry.name for entry in one.entries} for one in found]

    before = shards(8)
    assert set.union(*before) == names and sum(map(len, before)) == len(names)
    assert min(map(len, before)) > 700 / 8 / 2, "of about the same size"
    for name in sorted(names)[::2]:
        (tmp_path / name).unlink()
        names.remove(name)
    assert shards(8) == [part & names for part in before]


def test_a_shard_without_a_photo_is_done(run: Any, tmp_path: Path) -> None:
    photo(tmp_path / "tree" / "a.png")
    done = [run(tmp_path / "tree", tmp_path / "out", "--shard", f"{n}/2") for n in (1, 2)]
    assert [code for code, _, _ in done] == [0, 0]
    assert sorted(last["done"] for _, _, last in done) == [0, 1]


def test_links_make_no_loops(run: Any, tree: Path, tmp_path: Path) -> None:
    (tree / "2020" / "up").symlink_to(tree)
    (tree / "2020" / "self.png").symlink_to(tree / "2020" / "self.png")
    (tree / "2020" / "gone.png").symlink_to(tree / "nowhere.png")
    (tree / "2021" / "linked.png").symlink_to(tree / "z.png")
    code, lines, last = run(tree, tmp_path / "out")
    assert code == 1
    failed = {line["name"]: line["reason"] for line in lines if not line["ok"]}
    assert set(failed) == {"2020/self.png", "2020/gone.png"}
    assert "“2020/gone.png” cannot be read: No such file" in failed["2020/gone.png"]
    assert results_in(tmp_path / "out")["2021/linked_enhanced.png"] == 1
    assert last["left_out"] == {"linked folder": 1}


def test_people_are_told_how_far_it_is_and_how_it_ended(
    tree: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tree / "2020" / "up").symlink_to(tree)
    (tree / "bad.png").write_bytes(b"no photo")
    out = str(tmp_path / "out")
    assert main(["run", str(tree), "-o", out, *QUICK[:-1]]) == 1
    said, errors = capsys.readouterr()
    *lines, last = said.splitlines()
    assert [line.partition(":")[0] for line in lines[:2]] == [
        "2020/a.png → 2020/a_enhanced.png",
        "2020/b.png → 2020/b_enhanced.png",
    ]
    assert last.startswith("6 of 7 enhanced, 1 failed, ")
    assert last.endswith(f" photos per second: {out}")
    assert "7 photos [" in errors and "7/7 [" in errors
    assert "failed: “bad.png” is not a readable image" in errors
    assert "Left out: linked folders: 1; --verbose says which." in errors
    assert main(["run", str(tree), "-o", out, *QUICK[:-1], "--quiet"]) == 1
    said, errors = capsys.readouterr()
    assert said == ""
    assert errors.splitlines()[0].startswith("failed: “bad.png” is not a readable image")


def test_a_folder_that_cannot_be_read_ends_nothing(
    run: Any,
    tree: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    scandir = os.scandir

    def refuse(path: Path) -> Any:
        if Path(path).name == "2020":
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    with caplog.at_level(logging.WARNING):
        code, lines, last = run(tree, tmp_path / "out")
    assert code == 1, "not every photo succeeded"
    assert [line["name"] for line in lines] == ["2021/ä ö.png", "a-b/a.png", "z.png"]
    assert last["left_out"] == {"unreadable folder": 1}
    assert "'2020' cannot be read" in caplog.text and "Permission denied" in caplog.text


def test_results_are_no_photos(run: Any, tree: Path) -> None:
    for out in (tree / "2020" / "out", tree / ".." / tree.name / "out"):
        before = {str(path) for path in tree.rglob("[!.]*.png") if ".trash" not in path.parts}
        for _ in range(2):
            assert {line["source"] for line in run(tree, out)[1]} == before


@pytest.mark.parametrize(
    ("source", "out", "sentence"),
    [
        ("tree", "tree", "OUT must not be SRC"),
        ("tree/2020", "tree", "OUT must not be SRC"),
        ("tree/nowhere", "out", "No such file"),
        ("tree/z.png", "out", "Not a directory"),
        ("tree/2020/empty", "out", "no photos were found."),
        ("gs://bucket/photos", "out", "gs://bucket/photos cannot be opened: Please install gcsfs"),
        ("tree", "gs://bucket/photos", "gs://bucket/photos cannot be opened: Please install gcsfs"),
        ("nonsense://photos", "out", "nonsense://photos cannot be opened: "),
        (
            "tree",
            "out --shard 3/2",
            "3/2 is not of the form I/N; the second of eight parts is 2/8.",
        ),
        ("tree", "out --shard 1/2 --name {index}", "--name must be {stem} with at most 20"),
        ("tree", "out --shard two", "two is not of the form I/N"),
    ],
)
def test_misuse_is_refused_with_a_sentence(
    tree: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    source: str,
    out: str,
    sentence: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    (tree / "2020" / "empty").mkdir()
    with pytest.raises(SystemExit) as caught:
        main(["run", source, "-o", *out.split(), *QUICK])
    assert caught.value.code == 2
    assert sentence in capsys.readouterr().err
    assert not (tmp_path / "out").exists() and not (tree / NAME).exists()


def test_names_that_are_no_text(run: Any, tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    photo(tree / "a.png", 3)
    odd = Path(os.fsdecode(os.fsencode(tree) + b"/\xff\xfe"))
    odd.mkdir()
    (tree / "a.png").rename(Path(os.fsdecode(os.fsencode(odd) + b"/\xfc.png")))
    assert run(tree, tmp_path / "out")[2]["done"] == 1
    assert run(tree, tmp_path / "out")[2]["skipped"] == 1
    assert list(results_in(tmp_path / "out").values()) == [3]


def test_a_photo_takes_about_a_kilobyte_of_memory() -> None:
    names = [f"{n % 97:03}/holiday {n:07}.jpg" for n in range(20_000)]
    tracemalloc.start()
    entries = [Entry(f"/photos/{name}", name, 4_000_000, f"{name:>030}") for name in names]
    known = Ledger()
    for entry in entries:
        file = f"{entry.name[:-4]}_enhanced.jpg"
        line = line_of(entry, "0" * 64, file=file, bytes=entry.size, result_sha256="0" * 64)
        known.read([json.dumps(line).encode()])
    taken, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert taken < 1300 * len(names)
    for entry in entries:
        made = known.latest(entry.source)
        assert made and (made.size, made.version) == (entry.size, entry.version)


# A store that lists folder by folder, in this process.


@pytest.fixture
def memory() -> Iterator[AbstractFileSystem]:
    files = fsspec.filesystem("memory")
    yield files
    files.store.clear()
    files.pseudo_dirs[:] = [""]


def upload(tree: Path, files: AbstractFileSystem, root: str) -> None:
    for path in tree.rglob("*"):
        if path.is_file():
            files.pipe_file(f"{root}/{path.relative_to(tree).as_posix()}", path.read_bytes())


def test_from_store_to_store(
    run: Any, tree: Path, tmp_path: Path, memory: AbstractFileSystem
) -> None:
    upload(tree, memory, "/in")
    code, lines, last = run("memory://in", "memory://in/out")
    assert (code, last["done"]) == (0, 6)
    found = {name for name in memory.find("/in/out") if f"/{FOLDER}/" not in name}
    assert found == {f"/in/out/{name}" for name in EXPECTED}
    for line in lines:
        assert memory.cat_file(line["file"])[:4] == b"\x89PNG"
    assert run("memory://in", "memory://in/out")[2]["skipped"] == 6
    memory.pipe_file("/in/z.png", (tree / "2020" / "a.png").read_bytes())
    memory.pipe_file("/in/out/2021/ä ö_enhanced.png", b"cut off")
    assert run("memory://in", "memory://in/out")[2]["done"] == 2
    memory.rm("/in/out", recursive=True)
    assert run("memory://in", tmp_path / "out")[2]["done"] == 6
    assert results_in(tmp_path / "out")["z_enhanced.png"] == 2


def test_single_photos_may_go_to_a_store(
    run: Any, tree: Path, memory: AbstractFileSystem, capsys: pytest.CaptureFixture[str]
) -> None:
    for expected in ("done", "skipped"):
        assert main([str(tree / "z.png"), "-o", "memory://out", *QUICK]) == 0
        assert json.loads(capsys.readouterr().out.splitlines()[-1])[expected] == 1
    assert memory.cat_file("/out/z_enhanced.png")[:4] == b"\x89PNG"


def test_a_store_with_real_folders(tmp_path: Path) -> None:
    store = Folder(LocalFileSystem(), str(tmp_path))
    entry = somewhere("/a.png")
    with closing(Bucket(store, "x2")) as bucket:
        bucket.save(entry, "", result("some/where/a.png"))
    assert (tmp_path / "some" / "where" / "a.png").read_bytes() == b"pixels"
    with closing(Bucket(store, "x2")) as bucket:
        assert bucket.find(entry) == "some/where/a.png"
    with pytest.raises(FileNotFoundError):
        Bucket(Folder(LocalFileSystem(), str(tmp_path / "nowhere")), "x2")


def test_names_in_a_store_lead_to_no_other_folder(
    run: Any, tmp_path: Path, memory: AbstractFileSystem
) -> None:
    photo(tmp_path / "a.png", 5)
    for name in ("../up.png", "a/../../up.png", "a//b.png", "a/b.png", "back\\..\\slash.png"):
        memory.pipe_file("/scratch", (tmp_path / "a.png").read_bytes())
        memory.store[f"/in/{name}"] = memory.store.pop("/scratch")  # it tidies such names up itself
    out = tmp_path / "here" / "out"
    assert run("memory://in", out)[2]["done"] == 2
    assert not list(tmp_path.rglob("*up*"))
    assert all(path.is_relative_to(out) for path in tmp_path.rglob("*_enhanced*"))
    assert "a/b_enhanced.png" in results_in(out)


def test_a_photo_that_cannot_be_fetched_is_a_failure_and_no_other(
    run: Any,
    tree: Path,
    tmp_path: Path,
    memory: AbstractFileSystem,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    upload(tree, memory, "/in")
    fetch = Folder.fetch

    def vanish(store: Folder, name: str, target: str) -> None:
        if name == "a-b/a.png":
            memory.rm_file("/in/a-b/a.png")
        fetch(store, name, target)

    monkeypatch.setattr(Folder, "fetch", vanish)
    code, lines, last = run("memory://in", tmp_path / "out")
    assert (code, last["done"], last["failed"]) == (1, 5, 1)
    (failed,) = (line for line in lines if not line["ok"])
    assert failed["reason"].startswith("“a-b/a.png” cannot be read: ")


def test_a_photo_that_is_too_large_is_not_fetched(
    run: Any,
    tree: Path,
    tmp_path: Path,
    memory: AbstractFileSystem,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    memory.pipe_file("/in/large.png", bytes(Limits().max_bytes + 1_000_000))
    memory.pipe_file("/in/a.png", (tree / "z.png").read_bytes())
    fetched: list[str] = []
    fetch = Folder.fetch

    def count(store: Folder, name: str, target: str) -> None:
        fetched.append(name)
        fetch(store, name, target)

    monkeypatch.setattr(Folder, "fetch", count)
    _, lines, last = run("memory://in", tmp_path / "out")
    assert (last["done"], last["failed"]) == (1, 1)
    (failed,) = (line for line in lines if not line["ok"])
    assert failed["reason"] == "“large.png” is 101 MB; the limit is 100 MB."
    assert fetched == ["a.png"]


def test_fetched_photos_do_not_pile_up(
    run: Any, tmp_path: Path, memory: AbstractFileSystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    photo(tmp_path / "a.png")
    for number in range(40):
        memory.pipe_file(f"/in/{number}.png", (tmp_path / "a.png").read_bytes())
    piled: list[int] = []
    fetch = Folder.fetch

    def count(store: Folder, name: str, target: str) -> None:
        fetch(store, name, target)
        piled.append(len(list(Path(target).parent.iterdir())))

    monkeypatch.setattr(Folder, "fetch", count)
    run("memory://in", tmp_path / "out")
    assert len(piled) == 40 and max(piled) <= 10


def test_without_a_folder_for_temporary_files_the_command_says_so(
    tree: Path,
    tmp_path: Path,
    memory: AbstractFileSystem,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    upload(tree, memory, "/in")
    monkeypatch.setattr(tempfile, "tempdir", None)
    monkeypatch.setattr(tempfile, "_candidate_tempdir_list", lambda: [str(tmp_path / "gone")])
    assert main(["run", "memory://in", "-o", str(tmp_path / "out"), *QUICK]) == 1
    said = capsys.readouterr().err
    assert "The run ended early: [Errno 2] No usable temporary directory" in said
    assert said.endswith("Run the same command again to do the rest.\n")


def test_a_manifest_whose_end_cannot_be_written_is_no_success(
    tree: Path,
    memory: AbstractFileSystem,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    write = Folder.write

    def refuse(store: Folder, name: str, data: bytes) -> None:
        if name.endswith(".jsonl"):
            raise PermissionError("the key has expired")
        write(store, name, data)

    monkeypatch.setattr(Folder, "write", refuse)
    monkeypatch.setattr("enhance.jobs.manifests._LINES", 1000)
    assert main(["run", str(tree), "-o", "memory://out", *QUICK]) == 1
    said = capsys.readouterr().err
    assert "The end of the manifest could not be written: the key has expired. Run" in said


def test_parts_of_the_manifest_follow_one_another(
    memory: AbstractFileSystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("enhance.jobs.manifests._LINES", 3)
    monkeypatch.setattr("enhance.jobs.manifests._PART", 6)
    store = Folder(memory, "/out")
    entries = [somewhere(f"/{number}.png") for number in range(20)]
    bucket = Bucket(store, "x2")
    for number, entry in enumerate(entries):
        bucket.save(entry, "", result(f"{number % 5}.png", str(number).encode()))
        known = sum(memory.cat_file(path).count(b"\n") for path in parts(memory))
        assert number + 1 - 3 < known <= number + 1
    again = Bucket(store, "x2")  # as after SIGKILL
    assert [again.find(entry) is not None for entry in entries] == [True] * 18 + [False] * 2
    bucket.check()
    assert sum(memory.cat_file(path).count(b"\n") for path in parts(memory)) == 20, "between turns"
    bucket.close()
    bucket.close()
    assert len(parts(memory)) == 4
    again = Bucket(store, "x2")
    names = [again.find(entry) or "" for entry in entries]
    assert len({*names} - {""}) == 20, "no result over another's"
    kept = [again.folder.read(name) for name in names]
    assert kept == [b"%d" % n for n in range(20)]


def parts(memory: AbstractFileSystem) -> list[str]:
    return sorted(memory.glob(f"/out/{FOLDER}/*.jsonl"))


def test_a_store_that_fails_is_an_error_of_the_system(memory: AbstractFileSystem) -> None:
    class Broken(type(memory)):  # type: ignore[misc]
        def pipe_file(self, *_: object, **__: object) -> None:
            raise RuntimeError("the line is dead")

    with pytest.raises(OSError, match="RuntimeError: the line is dead"):
        Bucket(Folder(Broken(), "/out"), "x2")


def test_a_walk_goes_everywhere_once(tmp_path: Path) -> None:
    expected = set()
    for number in range(300):
        path = tmp_path / "/".join(f"{number:03}")
        path.mkdir(parents=True, exist_ok=True)
        (path / f"{number}.txt").touch()
        expected.add((path / f"{number}.txt").relative_to(tmp_path).as_posix())
    found = [one.name for one in find_folder(str(tmp_path)).walk()]
    assert sorted(found) == sorted(expected)
    with pytest.raises(FileNotFoundError):
        list(find_folder(str(tmp_path / "nowhere")).walk())
