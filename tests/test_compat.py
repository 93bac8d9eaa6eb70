import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_upstream_imports_after_preparing_twice() -> None:
    code = """
from benchmarks.upstream import prepare
prepare()
prepare()
import basicsr, gfpgan, facexlib
from gfpgan import GFPGANer
from basicsr.archs.rrdbnet_arch import RRDBNet
prepare()
from torchvision.transforms.functional_tensor import rgb_to_grayscale
print(GFPGANer.__name__, RRDBNet.__name__, rgb_to_grayscale.__name__)
"""
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["GFPGANer", "RRDBNet", "rgb_to_grayscale"]
