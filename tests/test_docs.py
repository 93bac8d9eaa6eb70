"""What the pages say, against what there is: links, commands, settings, versions, translations."""

import ast
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import fields
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
from huggingface_hub import metadata_load

from enhance import cli
from enhance.limits import Limits
from enhance.options import OPTIONS
from scripts import fill_tables
from tests.space import lay_out

ROOT = Path(__file__).parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("assets/*.md")])
README, CHINESE = ROOT / "README.md", ROOT / "README.zh-CN.md"
SECURITY, OPERATION = ROOT / "SECURITY.md", ROOT / "docs" / "operation.md"
DOCKERFILE = (ROOT / "Dockerfile").read_text("utf-8")
FENCE = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
OPTION = re.compile(r"(?<![\w-])--?[a-z][\w-]*")
VARIABLE = r"(?:ENHANCE|GRADIO|HF|OMP|ORT|RAY)_[A-Z_]*[A-Z]"

each_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)


def read(page: Path) -> str:
    return page.read_text("utf-8")


def prose(page: Path) -> str:
    """The page without its blocks of code."""
    return FENCE.sub("", read(page))


def headings(page: Path) -> list[tuple[str, str]]:
    """The marks (#, ##) and the words of each."""
    return re.findall(r"^(#+) (.+)$", prose(page), re.MULTILINE)


def anchors(page: Path) -> set[str]:
    """What a link may name after #, made as GitHub makes it."""
    seen: Counter[str] = Counter()
    found = set()
    for _, words in headings(page):
        anchor = re.sub(r"[^\w\- ]", "", words.lower()).replace(" ", "-")
        found.add(f"{anchor}-{seen[anchor]}" if seen[anchor] else anchor)
        seen[anchor] += 1
    return found


def links(page: Path) -> list[str]:
    """The targets of links and pictures that are not on the internet."""
    text = re.sub(r"`[^`]*`", "", prose(page))
    targets = re.findall(r"\[[^\]]*\]\(([^)\s]+)\)", text)
    return [target for target in targets if not target.startswith("https://")]


@each_page
def test_links_lead_somewhere(page: Path) -> None:
    for target in links(page):
        path, _, anchor = target.partition("#")
        file = page.parent / unquote(path) if path else page
        assert file.exists(), target
        assert not anchor or anchor in anchors(file), target


@each_page
def test_files_that_are_named_exist(page: Path) -> None:
    for path in re.findall(r"`((?:app|docs|enhance|scripts|tests)/[\w/]+\.\w+)`", read(page)):
        assert (ROOT / path).exists(), path


def commands() -> Iterator[tuple[str, str]]:
    """Every `python -m MODULE ...` of the pages: the module, and what follows it."""
    for page in PAGES:
        yield from re.findall(r"python -m\s+([\w.]+)([^`\n#|]*)", read(page))


@pytest.mark.parametrize(("module", "rest"), sorted(set(commands())))
def test_commands_can_be_given(module: str, rest: str, capsys: pytest.CaptureFixture[str]) -> None:
    module = module.replace("NAME", "streaming")  # stands for any of the benchmarks
    spec = find_spec(module)
    assert spec is not None
    if spec.submodule_search_locations:
        spec = find_spec(f"{module}.__main__")
        assert spec is not None
    assert spec.origin is not None
    if module == "enhance":
        asked = rest.split()
        subcommand = asked[:1] if asked[:1] in (["run"], ["fetch"], ["open"]) else []
        with pytest.raises(SystemExit):
            cli.main([*subcommand, "--help"])
        known = capsys.readouterr().out
        if subcommand == ["fetch"]:
            assert all(word in known for word in asked[1:])
    else:
        known = read(Path(spec.origin)) + read(ROOT / "benchmarks" / "tables.py")
    assert set(OPTION.findall(rest)) <= set(OPTION.findall(known))


@pytest.mark.parametrize("page", fill_tables.PAGES, ids=lambda page: page.name)
def test_tables_are_those_of_the_code(page: Path) -> None:
    assert read(page) == fill_tables.filled(read(page)), "python -m scripts.fill_tables"


def test_every_option_is_in_the_docs() -> None:
    rows = re.findall(r"^\| `(\w+)` \|", read(ROOT / "docs" / "options.md"), re.MULTILINE)
    assert rows == [*OPTIONS, *OPTIONS]  # in two languages


@each_page
def test_targets_of_make_exist(page: Path) -> None:
    targets = re.findall(r"^(\w+):", read(ROOT / "Makefile"), re.MULTILINE)
    assert set(re.findall(r"(?:^|`)make (\w+)", read(page), re.MULTILINE)) <= set(targets)


@each_page
def test_tests_that_are_named_exist(page: Path) -> None:
    for command in re.findall(r"`pytest ([^`]+)`", read(page)):
        files, _, expression = command.partition(" -k ")
        tests = re.findall(r"def (test_\w+)", "".join(read(ROOT / path) for path in files.split()))
        words = set(re.findall(r"\w+", expression)) - {"and", "or", "not"}
        assert all(any(word in name for name in tests) for word in words), command


def limits() -> set[str]:
    return {f"ENHANCE_{field.name.upper()}" for field in fields(Limits)}


def in_code() -> set[str]:
    """The variables whose names the app and the package hold."""
    found = set()
    for path in (ROOT / "app.py", *(ROOT / "enhance").rglob("*.py")):
        for node in ast.walk(ast.parse(read(path))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                found |= {node.value} if re.fullmatch(VARIABLE, node.value) else set()
    return found


def in_library(name: str) -> bool:
    """Whether the package that the name begins with reads it."""
    spec = find_spec(name.partition("_")[0].lower())
    assert spec is not None and spec.submodule_search_locations
    top = Path(spec.submodule_search_locations[0])
    files = (*top.glob("*.py"), *top.glob("_private/*.py"))
    return any(f'"{name}"' in read(path) for path in files)


def test_the_table_of_settings_has_all_and_no_others() -> None:
    rows = re.findall(r"^\| `([A-Z_]+)` \|", read(OPERATION), re.MULTILINE)
    assert len(rows) == len(set(rows))
    assert in_code() <= set(rows)
    assert all(in_library(name) for name in set(rows) - in_code())


def test_the_table_of_limits_has_all_with_their_defaults() -> None:
    units = {"": 1, " million": 10**6, " MB": 10**6, " GB": 10**9}
    rows = re.findall(r"^\| `(ENHANCE_\w+)` \| ([\d,]+)([^|]*) \|", read(SECURITY), re.MULTILINE)
    said = {name: int(count.replace(",", "")) * units[unit] for name, count, unit in rows}
    assert said == {f"ENHANCE_{field.name.upper()}": field.default for field in fields(Limits)}


@each_page
def test_variables_that_are_named_exist(page: Path) -> None:
    rows = re.findall(r"^\| `([A-Z_]+)` \|", read(OPERATION), re.MULTILINE)
    assert set(re.findall(rf"\b{VARIABLE}\b", read(page))) <= {*rows, *limits()}


def pins() -> dict[str, str]:
    """The packages of which exactly one version is required."""
    text = "".join(read(path) for path in ROOT.glob("requirements*.txt"))
    return dict(re.findall(r"^([\w.-]+)(?:\[\w+\])?==([\w.]+)", text, re.MULTILINE))


@pytest.fixture(scope="module")
def front(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What the README of a Space says to the hub."""
    app = tmp_path_factory.mktemp("space")
    lay_out(app)
    found = metadata_load(app / "README.md")
    assert found is not None
    return found


def test_versions_are_those_that_are_required(front: dict[str, Any]) -> None:
    named = [("gradio", front["sdk_version"])]
    for text in (DOCKERFILE, *map(read, PAGES)):
        named += re.findall(r"\b([a-z][\w-]*)==(\d[\w.]*)", text)
    assert all(pins()[name] == version for name, version in named)


def test_versions_of_python_are_those_that_are_required(front: dict[str, Any]) -> None:
    project = read(ROOT / "pyproject.toml")
    (oldest,) = re.findall(r'^requires-python = ">=(.+)"$', project, re.M)
    fitting = re.findall(r'"Programming Language :: Python :: (3\.\d+)"', project)
    assert fitting[0] == oldest
    for page in (README, CHINESE):
        (said,) = re.findall(r"Python (3\.\d+)\D{1,4}(3\.\d+)", read(page))
        assert said == (oldest, fitting[-1])
    assert front["python_version"] in fitting
    (image,) = re.findall(r"^ARG PYTHON=(3\.\d+)-slim", DOCKERFILE, re.MULTILINE)
    assert image in fitting


def test_the_hub_is_told_what_a_space_is(front: dict[str, Any]) -> None:
    colors = {"red", "yellow", "green", "blue", "indigo", "purple", "pink", "gray"}
    assert {front["colorFrom"], front["colorTo"]} <= colors
    assert front["sdk"] == "gradio"
    assert (ROOT / front["app_file"]).is_file()
    assert read(ROOT / "LICENSE").lower().startswith(front["license"])
    assert len(front["short_description"]) <= 60
    assert metadata_load(README) is None  # other sites would show it above the title


def test_system_packages_are_the_same_everywhere() -> None:
    wanted = read(ROOT / "packages.txt").split()
    for text in (DOCKERFILE, read(README), read(CHINESE)):
        (found,) = re.findall(r"apt-get install((?: (?:-[\w-]+|lib[\w.-]+))+)", text)
        assert [word for word in found.split() if not word.startswith("-")] == wanted


def test_the_image_gets_what_it_copies() -> None:
    copied = [line.split()[1:-1] for line in DOCKERFILE.splitlines() if line.startswith("COPY ")]
    sources = {path for paths in copied for path in paths if not paths[0].startswith("--from")}
    sent = {line[1:] for line in read(ROOT / ".dockerignore").splitlines() if line[0] == "!"}
    assert sources == sent
    assert all((ROOT / path).exists() for path in sources)


def test_the_chinese_readme_says_the_same() -> None:
    def marks(page: Path) -> list[str]:
        return [mark for mark, _ in headings(page)]

    def numbers(page: Path) -> list[list[str]]:
        """Of each row of a table, in any order."""
        rows = re.findall(r"^\|.*\|$", read(page), re.MULTILINE)
        return [sorted(re.findall(r"\d+(?:\.\d+)?", row)) for row in rows]

    assert marks(CHINESE) == marks(README)
    assert FENCE.findall(read(CHINESE)) == FENCE.findall(read(README))
    assert numbers(CHINESE) == numbers(README)
    assert {*links(CHINESE)} - {README.name} == {*links(README)} - {CHINESE.name}
