"""`enhance run` from and to S3: a server that speaks it on loopback, the real client, processes
that are killed."""

import errno
import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import s3fs
from moto.server import ThreadedMotoServer

from enhance.cli import main
from enhance.jobs.local_folder import find_folder
from enhance.jobs.manifests import FOLDER, Bucket
from tests.test_folders import EXPECTED, QUICK, number_in, photo, results_in, tree, upload
from tests.test_manifest import result, somewhere

ROOT = Path(__file__).parents[1]

__all__ = ["tree"]  # a fixture


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def s3(
    address: str, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> Iterator[s3fs.S3FileSystem]:
    """Also for the processes that the test starts: the environment is all that they are told."""
    monkeypatch.setenv("TMPDIR", str(tmp_path_factory.mktemp("left")))  # by those that are killed
    monkeypatch.setenv("AWS_ENDPOINT_URL", address)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "somebody")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    s3fs.S3FileSystem.clear_instance_cache()
    files = s3fs.S3FileSystem(use_listings_cache=False)
    files.mkdir("photos")
    files.mkdir("results")
    yield files
    for bucket in ("photos", "results"):
        files.rm(bucket, recursive=True)
    s3fs.S3FileSystem.clear_instance_cache()


def start(*arguments: object, stdout: int = subprocess.PIPE) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "enhance", "run", *map(str, arguments), *QUICK]
    return subprocess.Popen(
        command, cwd=ROOT, stdout=stdout, stderr=subprocess.PIPE, encoding="utf-8"
    )


def run(*arguments: object) -> dict[str, Any]:
    """The last line of a run that went well."""
    process = start(*arguments)
    said, errors = process.communicate(timeout=300)
    assert process.returncode == 0, errors
    last: dict[str, Any] = json.loads(said.splitlines()[-1])
    return last


def results(s3: s3fs.S3FileSystem) -> set[str]:
    found = s3.find("results/all") if s3.exists("results/all") else []
    return {name.removeprefix("results/all/") for name in found if f"/{FOLDER}/" not in name}


def manifest(s3: s3fs.S3FileSystem) -> list[dict[str, Any]]:
    parts = sorted(s3.glob(f"results/all/{FOLDER}/*.jsonl"))
    return [json.loads(line) for part in parts for line in s3.cat_file(part).splitlines()]


def test_from_bucket_to_bucket_and_back(s3: s3fs.S3FileSystem, tree: Path, tmp_path: Path) -> None:
    source, out = "s3://photos/my", "s3://results/all"
    assert run(tree, "-o", out)["done"] == 6
    assert results(s3) == set(EXPECTED)
    assert run(tree, "-o", out)["skipped"] == 6
    upload(tree, s3, "photos/my")
    assert run(source, "-o", tmp_path / "here")["done"] == 6
    assert results_in(tmp_path / "here") == EXPECTED
    s3.rm("results/all", recursive=True)
    assert run(source, "-o", out)["done"] == 6
    for name in EXPECTED:
        assert s3.cat_file(f"results/all/{name}") == (tmp_path / "here" / name).read_bytes()
    assert run(source, "-o", out)["skipped"] == 6

    photo(tmp_path / "other.png", 77)
    s3.put_file(tmp_path / "other.png", "photos/my/z.png")
    s3.rm("results/all/2021/ä ö_enhanced.png")
    last = run(source, "-o", out)
    assert (last["done"], last["skipped"]) == (2, 4), "one changed, one lost"
    sources = [line["source"] for line in manifest(s3)]
    assert len(sources) == 8 and sources[0] == "s3://photos/my/2020/a.png"


def test_shards_share_a_bucket(s3: s3fs.S3FileSystem, tree: Path) -> None:
    upload(tree, s3, "photos")
    processes = [
        start("s3://photos", "-o", "s3://results/all", "--shard", f"{number}/3")
        for number in (1, 2, 3)
    ]
    for process in processes:
        process.communicate(timeout=300)
        assert process.returncode == 0
    assert results(s3) == set(EXPECTED)
    assert sorted(line["file"] for line in manifest(s3)) == sorted(EXPECTED), "each once"


@pytest.fixture
def many(s3: s3fs.S3FileSystem, tmp_path: Path) -> set[str]:
    """250 photos in the bucket; what their results are called."""
    for number in range(250):
        photo(tmp_path / "many" / f"{number % 7}" / f"{number}.png", number)
    upload(tmp_path / "many", s3, "photos")
    return {f"{number % 7}/{number}_enhanced.png" for number in range(250)}


def wait_for(s3: s3fs.S3FileSystem, count: int, process: subprocess.Popen[str]) -> None:
    while len(results(s3)) < count:
        assert process.poll() is None, "ended before its time"
        time.sleep(0.05)


def test_a_killed_run_loses_no_photo(s3: s3fs.S3FileSystem, many: set[str], tmp_path: Path) -> None:
    out = "s3://results/all"
    for stop in (120, 160, 190):
        process = start("s3://photos", "-o", out, stdout=subprocess.DEVNULL)  # a pipe would fill up
        wait_for(s3, stop, process)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        assert process.returncode == -signal.SIGKILL
        known = {line["file"] for line in manifest(s3)}
        assert known <= results(s3), "no line without its result"
        assert known and len(results(s3) - known) <= 100
    last = run("s3://photos", "-o", out)
    assert results(s3) == many == {line["file"] for line in manifest(s3)}
    assert last["done"] + last["skipped"] == 250 and last["failed"] == 0
    assert run("s3://photos", "-o", out)["skipped"] == 250
    s3.get("results/all", str(tmp_path / "all"), recursive=True)
    for name in many:
        number = int(Path(name).stem.partition("_")[0])
        assert number_in(tmp_path / "all" / name) == number


def test_a_run_that_is_asked_to_stop_forgets_nothing(s3: s3fs.S3FileSystem, many: set[str]) -> None:
    process = start("s3://photos", "-o", "s3://results/all")
    wait_for(s3, 15, process)
    process.send_signal(signal.SIGTERM)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 143
    assert "Stopped. Run the same command again to do the rest." in errors
    done = results(s3)
    assert 15 <= len(done) < 250
    assert {line["file"] for line in manifest(s3)} == done
    assert run("s3://photos", "-o", "s3://results/all")["skipped"] == len(done)


def test_a_folder_of_more_than_a_page_is_listed_once(s3: s3fs.S3FileSystem) -> None:
    names = {f"{number:04}.txt" for number in range(1003)} | {"deep/er/a.txt"}
    s3.pipe({f"photos/in/{name}": b"x" for name in names})
    s3.pipe_file("photos/inside.txt", b"not below")
    s3.call_s3("put_object", Bucket="photos", Key="in/empty/", Body=b"")
    store = find_folder("s3://photos/in")
    listed = list(store.list(""))
    assert sorted(one.name for one in listed) == sorted(names)
    assert {one.size for one in listed} == {1} and all(one.version for one in listed)


@pytest.mark.parametrize("source", ["s3://photos", "s3://photos/my"])
def test_keys_lead_to_no_other_folder(
    s3: s3fs.S3FileSystem,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    source: str,
) -> None:
    photo(tmp_path / "mine" / "a.png", 5)
    content = (tmp_path / "mine" / "a.png").read_bytes()
    prefix = source.removeprefix("s3://photos").lstrip("/")
    prefix = prefix and f"{prefix}/"
    odd = (f"{tmp_path}/mine/x.png", "/x.png", "in//x.png", "../x.png", "in/../x.png", "\x1b/x.png")
    for key in (*odd, "fine.png"):
        s3.call_s3("put_object", Bucket="photos", Key=prefix + key, Body=content)
    for out in (tmp_path / "out", "s3://results/all"):
        assert main(["run", source, "-o", str(out), *QUICK, "--name", "{stem}"]) == 1
        last = json.loads(capsys.readouterr().out.splitlines()[-1])
        assert (last["done"], last["failed"]) == (1, 0)
        assert last["left_out"] == {"unusable name": len(odd)}
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["a.png"]
    assert results_in(tmp_path / "out") == {"fine.png": 5} and results(s3) == {"fine.png"}
    for key in odd:
        s3.call_s3("delete_object", Bucket="photos", Key=prefix + key)


def test_objects_in_the_way_are_kept(s3: s3fs.S3FileSystem, tmp_path: Path) -> None:
    for key in ("a.png", ".enhance//a.jsonl", ".enhance/../a.jsonl", ".enhance/mine.jsonl"):
        s3.call_s3("put_object", Bucket="results", Key=key, Body=b"mine")
    store = find_folder("s3://results")
    with closing(Bucket(store, "x2")) as bucket:
        s3.pipe_file("results/b.png", b"mine")  # since it was listed
        for name in ("a", "b"):
            entry = somewhere(f"/{name}.png")
            assert bucket.save(entry, "", result(f"{name}.png")) == f"{name}_2.png"
    assert s3.cat_file("results/a.png") == s3.cat_file("results/b.png") == b"mine"
    assert s3.cat_file("results/.enhance/mine.jsonl") == b"mine"


def test_a_store_that_cannot_refuse_is_asked(
    s3: s3fs.S3FileSystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    put = s3fs.S3FileSystem.pipe_file

    def pipe_file(self: s3fs.S3FileSystem, *arguments: Any, **named: Any) -> Any:
        if named.get("mode") == "create":
            raise OSError(errno.ENOSYS, "A header you provided implies functionality that is not")
        return put(self, *arguments, **named)

    monkeypatch.setattr(s3fs.S3FileSystem, "pipe_file", pipe_file)
    store = find_folder("s3://results")
    store.create("a.png", b"mine")
    with pytest.raises(FileExistsError):
        store.create("a.png", b"other")
    assert store.read("a.png") == b"mine"


@pytest.mark.parametrize(
    ("source", "out", "sentence"),
    [
        ("s3://nowhere/photos", "out", "the photos cannot be listed: "),
        ("s3://photos/empty", "out", "no photos were found."),
        ("photos", "s3://nowhere/out", "s3://nowhere/out cannot be the folder for the results: "),
        ("s3://results/all/in", "s3://results/all", "OUT must not be SRC"),
    ],
)
def test_misuse_is_refused_with_a_sentence(
    s3: s3fs.S3FileSystem,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    source: str,
    out: str,
    sentence: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    photo(tmp_path / "photos" / "a.png")
    with pytest.raises(SystemExit) as caught:
        main(["run", source, "-o", out, *QUICK])
    assert caught.value.code == 2
    assert sentence in capsys.readouterr().err
    assert not s3.exists("nowhere"), "no bucket is made by a slip of the pen"
    assert not (tmp_path / "out").exists()
