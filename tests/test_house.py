"""The rooms of the house: imports point strictly downward."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import enhance

ROOT = Path(__file__).parents[1]

# From the ground up. A package's name stands for all modules in it, which may import one another.
FLOORS = (
    {"enhance.files", "enhance.i18n", "enhance.version"},
    {"enhance.errors"},
    {"enhance.limits", "enhance.models", "enhance.names", "enhance.sizes"},
    {"enhance.option_spec"},
    {"enhance.options", "enhance.records"},
    {"enhance.networks", "enhance.photos"},
    {"enhance.faces", "enhance.upscaling"},
    {"enhance.repair"},
    {"enhance.pipeline"},
    {"enhance.engines"},
    {"enhance.jobs", "enhance.web"},
    {"enhance.arguments"},
    {"enhance.cli"},
    {"app", "enhance.__main__"},  # start what the floor below holds
)
# From the ground up, in `enhance.web`.
WEB = (
    {"enhance.web.language", "enhance.web.log", "enhance.web.metrics"},
    {"enhance.web.batches"},
    {"enhance.web.server"},
    {"enhance.web.page"},
    {"enhance.web.http_contract"},
    {"enhance.web.gradio_api", "enhance.web.plain_http"},
)
TORCHLESS = (
    "enhance.engines",
    "enhance.errors",
    "enhance.faces.paste",
    "enhance.faces.geometry",
    "enhance.faces.sharpness",
    "enhance.pipeline.findings",
    "enhance.pipeline.layers",
    "enhance.pipeline.needs",
    "enhance.photos",
    "enhance.pipeline.notes",
    "enhance.pipeline.enhancer",
    "enhance.pipeline.protocols",
    "enhance.limits",
    "enhance.option_spec",
    "enhance.options",
    "enhance.records",
    "enhance.sizes",
    "enhance.repair.marks",
    "enhance.repair.tone",
    "enhance.upscaling.interpolation",
    "enhance.upscaling.tiles",
    "enhance.pipeline.views",
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


def floor(module: str, floors: tuple[set[str], ...] = FLOORS) -> int:
    level = [i for i, rooms in enumerate(floors) if any(within(module, room) for room in rooms)]
    assert len(level) == 1, f"{module} is on the floors {level}"
    return level[0]


def room(module: str, floors: tuple[set[str], ...] = FLOORS) -> str:
    return next(name for name in floors[floor(module, floors)] if within(module, name))


@pytest.mark.parametrize("module", sorted(MODULES))
def test_imports_point_downward(module: str) -> None:
    for name in imports(module):
        if not (within(name, "enhance") or within(name, "app")):
            continue
        assert name != "enhance", f"{module} imports the front of its own package"
        if room(module) != room(name):
            assert floor(name) < floor(module), f"{module} imports {name}"


@pytest.mark.parametrize("module", sorted(m for m in MODULES if m.startswith("enhance.web.")))
def test_imports_point_downward_in_the_web_room_too(module: str) -> None:
    for name in imports(module):
        if within(name, "enhance.web") and room(module, WEB) != room(name, WEB):
            assert floor(name, WEB) < floor(module, WEB), f"{module} imports {name}"


def test_the_contract_of_engines_knows_no_engine() -> None:
    others = {name for name in imports("enhance.engines.base") if within(name, "enhance.engines")}
    assert not others


@pytest.mark.parametrize("module", sorted(MODULES))
def test_heavy_libraries_stay_in_their_rooms(module: str) -> None:
    outside = {name.split(".")[0] for name in imports(module)}
    if any(within(module, room) for room in TORCHLESS):
        assert not outside & {"torch", "torchvision"}
    if not within(module, "enhance.web") or within(module, "enhance.web.batches"):
        assert not outside & {"gradio", "gradio_client"} or module == "app"


@pytest.mark.parametrize("module", sorted(MODULES))
def test_nothing_needs_a_certain_system_to_be_imported(module: str) -> None:
    posix = {"fcntl", "grp", "posix", "pty", "pwd", "resource", "syslog", "termios", "tty"}
    windows = {"msvcrt", "nt", "winreg", "winsound"}
    assert not (posix | windows) & set(always_imported(MODULES[module]))


def always_imported(path: Path) -> Iterator[str]:
    """What the file imports wherever it is imported: not what depends on a condition or a call."""
    conditional = ast.FunctionDef | ast.AsyncFunctionDef | ast.If | ast.Try | ast.With
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


@pytest.mark.parametrize("module", ["app", "enhance.web.page.page", "enhance.cli", "enhance"])
def test_starting_up_loads_no_torch(module: str) -> None:
    code = f"import sys, {module}; print([m for m in ('torch', 'torchvision') if m in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=120
    )
    assert done.stdout.strip() == "[]", done.stderr
