"""What people and images get when they install: the package, and the versions of the image."""

import ast
import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from enhance.version import VERSION
from tests.server import ROOT, SAMPLES


def lines(name: str) -> list[str]:
    """What a file of requirements holds, without its comments."""
    text = re.sub(r"\s*#.*", "", (ROOT / name).read_text(encoding="utf-8"))
    return [line for line in text.splitlines() if line]


@pytest.fixture(scope="module")
def needed(installed: Path) -> list[str]:
    """What the installed package says that it needs, without extras."""
    code = "import importlib.metadata as m; print(*m.requires('enhance'), sep='\\n')"
    done = subprocess.run(
        [installed / "python", "-c", code], capture_output=True, text=True, check=True
    )
    return [line for line in done.stdout.splitlines() if "extra ==" not in line]


def test_the_versions_of_the_image_are_allowed() -> None:
    pins = (line.split("==") for line in lines("constraints.txt"))
    locked = {canonicalize_name(name): version for name, version in pins}
    for requirement in map(Requirement, lines("requirements.txt")):
        assert requirement.specifier.contains(locked[canonicalize_name(requirement.name)])


def test_the_package_needs_what_the_app_needs_but_for_upstreams_own_packages(
    needed: list[str],
) -> None:
    app = set(map(Requirement, lines("requirements.txt")))
    package = set(map(Requirement, needed))
    assert package < app
    assert {requirement.name for requirement in app - package} == {"gfpgan", "basicsr"}


def test_the_package_needs_what_it_imports(needed: list[str]) -> None:
    imported = set()
    for path in (ROOT / "enhance").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Import):
                imported |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                imported.add(str(node.module).split(".")[0])
    packages = imported - sys.stdlib_module_names - {"enhance"}
    declared = {canonicalize_name(Requirement(line).name) for line in needed}
    homes = packages_distributions()
    undeclared = {
        package
        for package in packages
        if declared.isdisjoint(canonicalize_name(name) for name in homes[package])
    }
    of_gradio = {"anyio", "fastapi", "jinja2", "multipart", "pydantic"}
    of_gradio |= {"python_multipart", "starlette"}
    optional = {"ray", "spaces", "spandrel_extra_arches"}
    assert undeclared - of_gradio == optional


_NO_UPSTREAM = """
import pkgutil, sys

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("basicsr", "gfpgan", "realesrgan"):
            raise ModuleNotFoundError(name)

sys.meta_path.insert(0, Absent())
import enhance
from enhance.models.checkpoints import prepare
prepare()
for module in pkgutil.walk_packages(enhance.__path__, "enhance."):
    if not module.name.endswith("__main__"):
        __import__(module.name)
from facexlib.detection.retinaface import RetinaFace
from facexlib.parsing.parsenet import ParseNet
from enhance.cli import main
sys.exit(main(sys.argv[1:]))
"""


def test_the_package_works_without_upstreams_own_packages(tmp_path: Path) -> None:
    photo = SAMPLES / "small_portrait.jpg"
    done = subprocess.run(
        [sys.executable, "-c", _NO_UPSTREAM, photo, "-o", tmp_path, "--json"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout.splitlines()[0])
    assert report["ok"], report
    assert len(report["restored"]) == 1
    assert (tmp_path / "small_portrait_enhanced.jpg").is_file()


def test_setup_scripts_that_look_among_their_locals_run_on_any_python() -> None:
    """basicsr's does, and cannot be built without this on Python 3.13 and newer."""
    code = "def version():\n    exec('found = 1')\n    return locals()['found']\nprint(version())"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | {"PYTHONPATH": str(ROOT / "scripts" / "build_basicsr")},
        capture_output=True,
        text=True,
    )
    assert done.stdout == "1\n", done.stderr


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The programs of an environment into which a copy of the tree was installed; what it depends
    on is there already, as it would take minutes."""
    folder = tmp_path_factory.mktemp("packaging")
    tree = folder / "tree"
    shutil.copytree(ROOT / "enhance", tree / "enhance")
    shutil.copy(ROOT / "pyproject.toml", tree)
    subprocess.run([sys.executable, "-m", "venv", folder / "venv"], check=True)
    place = {"base": str(folder / "venv"), "platbase": str(folder / "venv")}
    site = Path(sysconfig.get_path("purelib", "venv", place))
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib"))
    programs = Path(sysconfig.get_path("scripts", "venv", place))
    subprocess.run(
        [programs / "pip", "install", "-q", "--no-deps", "--no-build-isolation", tree],
        check=True,
    )
    return programs


def test_an_installed_command_enhances(installed: Path, tmp_path: Path) -> None:
    def run(*arguments: str | Path) -> str:
        done = subprocess.run(
            [installed / "enhance", *arguments], cwd=tmp_path, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    assert VERSION in run("--version")
    run(SAMPLES / "small_portrait.jpg", "-o", tmp_path / "out", "--restorer", "none")
    assert [path.name for path in (tmp_path / "out").glob("*.jpg")] == [
        "small_portrait_enhanced.jpg"
    ]


def test_an_installed_package_has_the_page(installed: Path, tmp_path: Path) -> None:
    code = "from enhance.web.page import page, viewer; print(page.__file__)"
    done = subprocess.run(
        [installed / "python", "-c", code], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert Path(done.stdout.strip()).is_relative_to(installed.parent)
