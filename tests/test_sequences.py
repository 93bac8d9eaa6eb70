"""Random sequences of commands, kills and other people's hands, in folders and in buckets.

Whatever happens: every byte that was there before, or that a person has written since, stays as it
is, and nothing appears outside the folder of results. The engine only copies bytes; listing,
fetching, manifests and writing are the real ones.

`--hypothesis-profile thorough` runs ten times as many.
"""

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
import s3fs
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from enhance.cli import main
from enhance.files import real
from enhance.jobs.folder import Folder
from enhance.jobs.manifests import LOCK, NAME
from enhance.options import Options
from tests.copying import Copies, marked
from tests.test_s3 import address, s3

__all__ = ["address", "s3"]  # fixtures

assert settings.default
EXAMPLES = settings.default.max_examples  # of the profile

E_ACUTE = ("\u00e9", "e\u0301")
STEMS = ("a", "A", *E_ACUTE, "a_enhanced", "a_enhanced_2", "A_2", f"{E_ACUTE[0]}_enhanced")
FILES = st.builds("{}.{}".format, st.sampled_from(STEMS), st.sampled_from(("jpg", "png")))
FOLDERS = st.sampled_from(("", "", "in/", "in/deep/", "IN/"))
CONTENTS = st.sampled_from((b"one", b"two", b"one, x1", b"one, x2", b"a longer one"))
# The folders of a test; each is given as the photos or as the results.
PLACES = ("photos", "photos/in", "out", "out/in", "elsewhere")
SLOTS = st.builds("{}/{}{}".format, st.sampled_from(PLACES[::2]), FOLDERS, FILES)
LEFT = ("/.enhance.jsonl", "/.enhance.lock", "/in/.part", f"/.{'0' * 32}.part")
ODD = st.builds("{}{}".format, st.sampled_from(PLACES[:4]), st.sampled_from(LEFT))

OPTIONS = st.fixed_dictionaries(
    {
        "size": st.sampled_from(("1x", "2x")),
        "name": st.sampled_from(("{stem}_enhanced", "{stem}", "{stem}_2")),
        "format": st.sampled_from(("same", "same", "png")),
        "overwrite": st.booleans(),
        "exact": st.booleans(),  # the engine returns the photo's own bytes
    }
)


class Killed(BaseException):
    """As by SIGKILL: nothing more is done to any file."""


@contextmanager
def killed_at(step: int | None, root: Path) -> Iterator[None]:
    """Within the block, no more than so many changes are made below `root` or in a store: the next
    one is made or not, if `step` is odd or even, and ends the command."""
    left = -1 if step is None else step // 2

    def stopping(change: Callable[..., Any], is_ours: Callable[..., bool]) -> Callable[..., Any]:
        def stop(*arguments: Any, **named: Any) -> Any:
            nonlocal left
            if step is None or not is_ours(*arguments):
                return change(*arguments, **named)
            if left > 0:
                left -= 1
                return change(*arguments, **named)
            if left == 0 and step % 2:
                change(*arguments, **named)
            left = -2
            raise Killed

        return stop

    def below(path: Any, *_: Any) -> bool:
        return str(path).startswith(str(root)) and LOCK not in str(path)

    from enhance.jobs.manifests import Bucket, Manifest

    changes = [(os, name, below) for name in ("link", "unlink", "rename", "replace", "mkdir")]
    methods = [(Folder, "create"), (Folder, "write"), (Manifest, "record"), (Bucket, "_upload")]
    patches = [
        patch.object(where, name, stopping(getattr(where, name), ours))
        for where, name, ours in changes
    ]
    patches += [
        patch.object(where, name, stopping(getattr(where, name), lambda *_: True))
        for where, name in methods
    ]
    for one in patches:
        one.start()
    try:
        yield
    except Killed:
        pass
    finally:
        for one in patches:
            one.stop()


def run(
    arguments: list[str],
    options: dict[str, Any],
    kill: int | None,
    root: Path,
    meanwhile: Callable[[], object] = lambda: None,
) -> None:
    """One command. meanwhile: what happens while its first photo is enhanced."""
    told = False

    def make(data: bytes, wanted: Options) -> bytes:
        nonlocal told
        if not told:
            told = True
            meanwhile()
        return data if options["exact"] else marked(data, wanted)

    more = [
        "--size",
        options["size"],
        "--name",
        options["name"],
        "--format",
        options["format"],
        *(["--overwrite"] if options["overwrite"] else []),
    ]
    with (
        patch("enhance.cli.open_engine", lambda *_, **__: Copies(make)),
        killed_at(kill, root),
        suppress(SystemExit),
    ):
        main([*arguments, *map(str, more), "--quiet"])


# Folders


def seen(root: Path) -> dict[str, bytes | str]:
    """Everything below a folder: contents, where links lead."""
    found: dict[str, bytes | str] = {}
    for folder, folders, names in os.walk(root):
        for name in [*names, *folders]:
            path = Path(folder) / name
            if path.is_symlink():
                found[str(path)] = str(path.readlink())
            elif path.is_file():
                found[str(path)] = path.read_bytes()
            else:
                found[str(path)] = "folder"
    return found


LOCAL_STEPS = st.one_of(
    st.tuples(
        st.just("run"),
        st.sampled_from(("photos", "photos/in", "run photos", "run photos/in", "run elsewhere")),
        st.sampled_from(("out", "out/in", "photos", "photos/out", "through")),
        OPTIONS,
        st.none() | st.integers(0, 25),
        st.none() | st.sampled_from(("out", "out/in", "photos")),  # of a second run meanwhile
    ),
    st.tuples(st.just("write"), SLOTS, CONTENTS),
    st.tuples(st.just("retouch"), st.integers(0, 9), CONTENTS),
    st.tuples(st.just("forget"), st.sampled_from(("out", "out/in", "photos"))),
    st.tuples(st.just("remove"), st.integers(0, 9)),
)
LAID = st.one_of(
    st.tuples(st.just("file"), SLOTS | ODD, CONTENTS),
    st.tuples(st.sampled_from(("link", "symlink")), SLOTS | ODD, SLOTS),
    st.tuples(
        st.just("linked folder"),
        st.sampled_from(("out/in", "photos/IN", "out/IN")),
        st.sampled_from(PLACES),
    ),
)


def lay(root: Path, laid: tuple[Any, ...]) -> None:
    kind, name, what = laid
    path = root / name
    with suppress(OSError):  # there is something else already
        path.parent.mkdir(parents=True, exist_ok=True)
        if kind == "file":
            with path.open("xb") as file:
                file.write(what)
        elif kind == "link":
            os.link(root / what, path)
        else:
            path.symlink_to(root / what)


def our_own(path: str) -> bool:
    """A manifest, a lock, what a killed run was writing."""
    name = path.rpartition("/")[2]
    return name in (NAME, LOCK) or (name.startswith(".enhance-") and name.endswith(".part"))


@settings(
    deadline=None,
    max_examples=2 * EXAMPLES,
    suppress_health_check=list(HealthCheck),
)
@given(
    laid=st.lists(LAID, min_size=1, max_size=8),
    steps=st.lists(LOCAL_STEPS, min_size=1, max_size=6),
)
def test_in_folders_nothing_is_lost(laid: list[Any], steps: list[Any]) -> None:
    root = Path(tempfile.mkdtemp(prefix="sequence"))
    try:
        for place in PLACES[::2]:
            (root / place).mkdir()
        (root / "through").symlink_to(root / "out")
        for one in laid:
            lay(root, one)
        theirs = seen(root)
        made: dict[str, set[bytes | str]] = {}  # what each result has ever contained
        for kind, *what in steps:
            results = sorted(path for path in made if path not in theirs and Path(path).is_file())
            if kind == "run":
                _run_locally(root, what, theirs, made)
            elif kind == "write":
                lay(root, ("file", *what))
            elif kind == "forget":
                with suppress(OSError):
                    (root / what[0] / NAME).unlink()
            elif results and kind == "remove":
                Path(results[what[0] % len(results)]).unlink()
            elif results:
                Path(results[what[0] % len(results)]).write_bytes(what[1])
            theirs = {
                path: was
                for path, was in seen(root).items()
                if was not in made.get(path, ()) and not (our_own(path) and path not in theirs)
            }
    finally:
        shutil.rmtree(root)


def _run_locally(
    root: Path,
    what: list[Any],
    theirs: dict[str, bytes | str],
    made: dict[str, set[bytes | str]],
) -> None:
    source, out, options, kill, second = what
    *command, source = source.split()
    outs = {real(root / one) for one in (out, second) if one}

    def meanwhile() -> None:
        if second:
            run([str(root / source), "-o", str(root / second)], options, None, root)

    before = seen(root)
    run([*command, str(root / source), "-o", str(root / out)], options, kill, root, meanwhile)
    now = seen(root)
    for path, was in theirs.items():
        there = now.get(path)
        if path.endswith(NAME) and isinstance(was, bytes) and isinstance(there, bytes):
            assert there.startswith(was), "lines are appended"
        else:
            assert there == was, path
    for path in now.keys() - before.keys():
        assert any(
            real(Path(path).parent).is_relative_to(one)
            or Path(path) in one.parents
            or Path(path) == one
            for one in outs
        ), path
        if now[path] != "folder" and not our_own(path):
            made.setdefault(path, set())
    for path in made.keys() & now.keys() - theirs.keys():
        made[path].add(now[path])


# Buckets

BUCKETS = ("photos", "photos/in", "results", "photos/out")
KEYS = st.builds(
    "{}{}".format,
    st.sampled_from(
        ("", "", "in/", "/", "in//", "../", "in/../", "C:/", "in\\..\\", "\x1b/", "in/\x7f/")
    ),
    FILES,
)
BUCKET_STEPS = st.one_of(
    st.tuples(
        st.just("run"),
        st.sampled_from(("s3://photos", "s3://photos/in", "local")),
        st.sampled_from(("s3://results", "s3://results/in", "s3://photos/out", "here")),
        st.sampled_from(("", "1/2", "2/2")),
        OPTIONS,
        st.none() | st.integers(0, 15),
    ),
    st.tuples(st.just("retouch"), st.integers(0, 9), CONTENTS),
    st.tuples(st.just("forget"), st.sampled_from(("results", "results/in", "photos/out"))),
    st.tuples(st.just("remove"), st.integers(0, 9)),
)


def objects(files: s3fs.S3FileSystem) -> dict[str, bytes]:
    found = {}
    for bucket in ("photos", "results"):
        for info in files.call_s3("list_objects_v2", Bucket=bucket).get("Contents", ()):
            body = files.call_s3("get_object", Bucket=bucket, Key=info["Key"])["Body"]
            found[f"{bucket}/{info['Key']}"] = _read(files, body)
    return found


def _read(files: s3fs.S3FileSystem, body: Any) -> bytes:
    from fsspec.asyn import sync

    return bytes(sync(files.loop, body.read))


def put(files: s3fs.S3FileSystem, name: str, data: bytes) -> None:
    bucket, _, key = name.partition("/")
    files.call_s3("put_object", Bucket=bucket, Key=key, Body=data)


def remove(files: s3fs.S3FileSystem, name: str) -> None:
    bucket, _, key = name.partition("/")
    files.call_s3("delete_object", Bucket=bucket, Key=key)


@pytest.mark.timeout(3000)
def test_in_buckets_nothing_is_lost(s3: s3fs.S3FileSystem) -> None:
    @settings(
        deadline=None,
        max_examples=EXAMPLES // 4,
        suppress_health_check=list(HealthCheck),
        database=None,
    )
    @given(
        laid=st.lists(
            st.tuples(
                st.sampled_from(("photos", "photos/in", "results", "photos/out")), KEYS, CONTENTS
            ),
            min_size=1,
            max_size=6,
        ),
        local=st.lists(st.tuples(SLOTS, CONTENTS), max_size=3),
        steps=st.lists(BUCKET_STEPS, min_size=1, max_size=5),
    )
    def sequence(laid: list[Any], local: list[Any], steps: list[Any]) -> None:
        for name in objects(s3):
            remove(s3, name)
        root = Path(tempfile.mkdtemp(prefix="sequence"))
        try:
            (root / "photos").mkdir()
            for folder, key, data in laid:
                put(s3, f"{folder}/{key}", data)
            for name, data in local:
                lay(root, ("file", name, data))
            _in_buckets(s3, root, steps)
        finally:
            shutil.rmtree(root)

    try:
        sequence()
    finally:  # their keys are more than the fixture can delete
        for name in objects(s3):
            remove(s3, name)


def _in_buckets(files: s3fs.S3FileSystem, root: Path, steps: list[Any]) -> None:
    theirs, here = objects(files), seen(root)
    made: dict[str, set[bytes]] = {}
    for kind, *what in steps:
        there = objects(files)
        ours = sorted(there.keys() & made.keys() - theirs.keys())
        results = [name for name in ours if "/.enhance/" not in name]
        if kind == "run":
            source, out, shard, options, kill = what
            source = str(root / "photos") if source == "local" else source
            target = str(root / "here") if out == "here" else out
            shards = ["--shard", shard] if shard else []
            run(["run", source, "-o", target, *shards], options, kill, root)
            now = objects(files)
            for name, was in theirs.items():
                assert now.get(name) == was, name
            for name in now.keys() - there.keys():
                assert name.startswith(f"{out.removeprefix('s3://')}/"), name
                made.setdefault(name, set())
            for name in made.keys() & now.keys() - theirs.keys():
                made[name].add(now[name])
            found = seen(root)
            assert {name: found.get(name) for name in here} == here
            assert all(name.startswith(str(root / "here")) for name in found.keys() - here.keys())
        elif kind == "forget":
            for name in ours:
                if name.startswith(f"{what[0]}/.enhance/"):
                    remove(files, name)
        elif results and kind == "remove":
            remove(files, results[what[0] % len(results)])
        elif results:
            put(files, results[what[0] % len(results)], what[1])
        theirs = {
            name: data for name, data in objects(files).items() if data not in made.get(name, ())
        }
