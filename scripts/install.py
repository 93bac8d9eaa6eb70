"""Installs what the app needs into the environment whose Python runs this script.

    python scripts/install.py      what requirements.txt lists
    python scripts/install.py .    that and the command `enhance`

`pip install -r requirements.txt` alone stumbles over basicsr, which comes as source. Its setup.py
asks for torch: in pip's isolated build environment that means downloading the newest torch just
for the build. So the pinned torch is installed first and isolation is switched off. On Python 3.13
and newer, setup.py also needs `build_basicsr/sitecustomize.py`.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BUILD_BASICSR = ROOT / "scripts" / "build_basicsr"


def pip_install(*arguments: str, **environment: str) -> None:
    """Ends this script with pip's exit code if pip fails; pip has said why."""
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "install", "-q"]
    done = subprocess.run([*command, *arguments], cwd=ROOT, env=os.environ | environment)
    if done.returncode:
        sys.exit(done.returncode)


def main() -> None:
    requirements = (ROOT / "requirements.txt").read_text("utf-8")
    pins = re.findall(r"^(?:torch|numpy)[=<>,.0-9]+", requirements, re.MULTILINE)
    pip_install("setuptools", "wheel", "cython", *pins)
    what = sys.argv[1:] or ["-r", "requirements.txt"]
    pip_install("--no-build-isolation", *what, PYTHONPATH=str(BUILD_BASICSR))


if __name__ == "__main__":
    main()
