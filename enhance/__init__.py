"""Restore faces and enlarge photos, one finished photo at a time.

from enhance import LocalEngine, Limits, Options, Setup, Source
from enhance.pipeline.enhancer import load_enhancer

engine = LocalEngine(lambda: load_enhancer(Setup(), Limits()), Limits())
for record in engine.run([Source.of("old.jpg")], Options(size="2x")):
    ...  # a Result with the encoded photo and its report, or a Failure with a sentence
"""

import os

# Before torch is imported: between convolutions its threads must sleep rather than spin. On cores
# shared with other work, spinning made a face take several times as long.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
# Before onnxruntime is imported: by default it sends usage statistics to its developers.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

from enhance.engines.local import LocalEngine
from enhance.errors import EnhanceError
from enhance.limits import Limits
from enhance.options import Options, Setup
from enhance.records import Failure, Report, Result, Source
from enhance.version import VERSION

__version__ = VERSION

__all__ = [
    "EnhanceError",
    "Failure",
    "Limits",
    "LocalEngine",
    "Options",
    "Report",
    "Result",
    "Setup",
    "Source",
]
