"""The rooms of the house: imports point strictly downward."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import enhance

ROOT = Path(__file__).parents[1]

# From the ground up. A package's name stands for all modules in it.
FLOORS = (
    {"enhance.sentences", "enhance.version"},
    {"enhance.errors"},
    {"enhance.weights"},
    {"enhance.catalogue"},
    {
        "enhance.colour",
        "enhance.files",
        "enhance.nets",
        "enhance.records",
    },
    {
        "enhance.checkpoints",
        "enhance.compat",
        "enhance.downloads",
        "enhance.faces",
        "enhance.images",
        "enhance.low_frequencies",
        "enhance.scaling",
        "enhance.tensors",
        "enhance.tiles",
    },
    {"enhance.choices", "enhance.folders", "enhance.sharpness"},
    {
        "enhance.detectors",
        "enhance.inventory",
        "enhance.maskers",
        "enhance.repair",
        "enhance.restorers",
        "enhance.show",
        "enhance.upscalers",
        "enhance.views",
    },
    {"enhance.pipeline"},
    {"enhance.build", "enhance.estimates", "enhance.layers", "enhance.reports"},
    {"enhance.engines"},
    {"enhance.ui", "enhance.work"},
    {"enhance.cli"},
    {"app", "enhance.__main__"},  # start what the floor below holds
)
# The modules of these import one another.
SHARED = ("enhance.engines", "enhance.folders", "enhance.images", "enhance.nets", "enhance.ui")
TORCHLESS = (
    "enhance.colour",
    "enhance.engines",
    "enhance.errors",
    "enhance.faces",
    "enhance.images",
    "enhance.pipeline",
    "enhance.layers",
    "enhance.records",
    "enhance.repair.fill",
    "enhance.repair.mask",
    "enhance.repair.tone",
    "enhance.scaling",
    "enhance.sharpness",
    "enhance.tiles",
    "enhance.views",
)


def modules() -> dict[str, Path]:
    found = {"app": ROOT / "app.py"}
    for path in (ROOT / "enhance").rglob("*.py"):
        parts = path.relative_to(ROOT).with_suffix("").parts
        found[".".join(parts).removesuffix(".__init__")] = path
    del found["enhance"]  # the package's front: re-exports from anywhere
    return found


MODULES = modules()


def imports(module: str) -> Iterator[str]:
    """Every module named in an import, wherever in the file it stands."""
    for node in ast.walk(ast.parse(MODULES[module].read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{module} imports relatively"
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                yield inner if inner in MODULES else str(node.module)


def within(module: str, room: str) -> bool:
    return module == room or module.startswith(room + ".")


def floor(module: str) -> int:
    level = [i for i, rooms in enumerate(FLOORS) if any(within(module, room) for room in rooms)]
    assert len(level) == 1, f"{module} is on the floors {level}"
    return level[0]


@pytest.mark.parametrize("module", sorted(MODULES))
def test_imports_point_downward(module: str) -> None:
    for name in imports(module):
        if not (within(name, "enhance") or within(name, "app")):
            continue
        assert name != "enhance", f"{module} imports the front of its own package"
        if any(within(module, room) and within(name, room) for room in SHARED):
            continue
        assert floor(name) < floor(module), f"{module} imports {name}"


def test_the_contract_of_engines_knows_no_engine() -> None:
    others = {name for name in imports("enhance.engines.base") if within(name, "enhance.engines")}
    assert not others


@pytest.mark.parametrize("module", sorted(MODULES))
def test_heavy_libraries_stay_in_their_rooms(module: str) -> None:
    outside = {name.split(".")[0] for name in imports(module)}
    if any(within(module, room) for room in TORCHLESS):
        assert not outside & {"torch", "torchvision"}
    if not (within(module, "enhance.ui") or module == "app"):
        assert not outside & {"gradio", "gradio_client"}


@pytest.mark.parametrize("module", sorted(MODULES))
def test_nothing_needs_a_certain_system_to_be_imported(module: str) -> None:
    posix = {"fcntl", "grp", "posix", "pty", "pwd", "resource", "syslog", "termios", "tty"}
    windows = {"msvcrt", "nt", "winreg", "winsound"}
    assert not (posix | windows) & set(always_imported(MODULES[module]))


def always_imported(path: Path) -> Iterator[str]:
    """What the file imports wherever it is imported: not what depends on a condition or a call."""
    conditional = ast.FunctionDef | ast.AsyncFunctionDef | ast.If | ast.Try
    waiting: list[ast.AST] = [ast.parse(path.read_text("utf-8"))]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield str(node.module)
        elif not isinstance(node, conditional):
            waiting += ast.iter_child_nodes(node)


def test_the_front_exports_what_it_says() -> None:
    assert len(set(enhance.__all__)) == len(enhance.__all__)
    for name in enhance.__all__:
        assert getattr(enhance, name).__module__.startswith("enhance.")


@pytest.mark.parametrize("module", ["app", "enhance.ui.page", "enhance.cli", "enhance"])
def test_starting_up_loads_no_torch(module: str) -> None:
    code = f"import sys, {module}; print([m for m in ('torch', 'torchvision') if m in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=120
    )
    assert done.stdout.strip() == "[]", done.stderr
