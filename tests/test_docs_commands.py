"""The commands of the pages that enhance photos, given as they stand there."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import s3fs
import torch
from PIL import Image
from spandrel.architectures.Compact import Compact

from tests.test_docs import PAGES, ROOT, read
from tests.test_s3 import address, s3

__all__ = ["address", "s3"]  # fixtures

SHELL = re.compile(r"^```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)
# Downloads need the internet; tests/test_downloads.py has them from a server of its own. Watching
# never ends; see tests/test_watch.py. Opening needs a browser; see tests/web/test_open.py.
COMMAND = re.compile(
    r"^(?:exec )?((?:[A-Z_]+=\S+ )*(?:python -m )?enhance (?!fetch|watch|open|.*--download).*?)"
    r"(?:\s+#.*)?$",
    re.MULTILINE,
)
COMMANDS = {  # `enhance` as pip installs it, which need not be here, is the same
    re.sub("^enhance", "python -m enhance", command): None
    for page in PAGES
    for block in SHELL.findall(read(page))
    for command in COMMAND.findall(block)
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """All that the commands read."""
    photo = tmp_path / "photo.jpg"
    with Image.open(ROOT / "assets" / "samples" / "small_portrait.jpg") as image:
        image.resize((40, 48)).save(photo)
    for name in ("holiday", "scans", "archive/deep", "SRC", "data/scans"):
        (tmp_path / name).mkdir(parents=True)
        shutil.copy(photo, tmp_path / name / "a.jpg")
    (tmp_path / "models").mkdir()
    own = Compact(num_feat=8, num_conv=1, upscale=2)
    torch.save(own.state_dict(), tmp_path / "models" / "4xMyUpscaler.pth")
    return tmp_path


@pytest.mark.parametrize("command", COMMANDS)
def test_commands_enhance(command: str, folder: Path, address: str, s3: s3fs.S3FileSystem) -> None:
    s3.mkdir("bucket")
    s3.put(str(folder / "photo.jpg"), "bucket/scans/a.jpg")
    try:
        done = subprocess.run(
            command.replace("/data/", f"{folder}/data/").replace(
                "https://storage.example", address
            ),
            shell=True,
            cwd=folder,
            env=os.environ
            | {
                "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
                "PYTHONPATH": str(ROOT),
                "ENHANCE_WEIGHTS_DIR": str(folder / "weights"),
                "SLURM_ARRAY_TASK_ID": "1",
            },
            capture_output=True,
            text=True,
            timeout=300,
        )
        assert done.returncode == 0, done.stderr
        made = [*folder.rglob("*_enhanced.jpg"), *s3.find("bucket/enhanced")]
        # A shard may be empty, and looking makes nothing.
        assert made or "--shard" in command or " look " in command
    finally:
        s3.rm("bucket", recursive=True)
