"""Installs requirements.txt into the environment whose Python runs this script.

    python scripts/install.py

`pip install .` installs the package and needs no such help, as it leaves out gfpgan and basicsr.
`pip install -r requirements.txt` stumbles over basicsr, which comes as source. Its setup.py asks
for torch: in pip's isolated build environment that means downloading a second torch just for the
build. So torch is installed first and isolation is switched off. On Python 3.13 and newer, setup.py
also needs `build_basicsr/sitecustomize.py`.
"""

import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BUILD_BASICSR = ROOT / "scripts" / "build_basicsr"


def pip_install(step: str, *arguments: str, **environment: str) -> None:
    """Say which step this is and run pip. Ends this script with pip's exit code if pip fails; pip
    has said why."""
    print(step, flush=True)
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "install", "-q"]
    done = subprocess.run([*command, *arguments], cwd=ROOT, env=os.environ | environment)
    if done.returncode:
        sys.exit(done.returncode)


def main() -> None:
    requirements = (ROOT / "requirements.txt").read_text("utf-8")
    pins = re.findall(r"^(?:torch|numpy)[=<>,.0-9]+", requirements, re.MULTILINE)
    pip_install(
        "Installing PyTorch, by far the largest package …", "setuptools", "wheel", "cython", *pins
    )
    pip_install(
        "Installing the other packages …",
        "--no-build-isolation",
        "-r",
        "requirements.txt",
        PYTHONPATH=str(BUILD_BASICSR),
    )


if __name__ == "__main__":
    main()
