"""Lets basicsr 1.4.2 build on Python 3.13 and newer. Nothing but `scripts/install.py` uses it.

To find its version, basicsr's setup.py calls exec() on a file inside a function and then reads the
result from locals(). Since Python 3.13 (PEP 667) exec() no longer writes into the locals of the
function that calls it, and the build fails with "KeyError: '__version__'". This file brings the
old behavior back.

Python imports a module named `sitecustomize` when it starts, if there is one on PYTHONPATH. Only
the pip that builds basicsr is given that path; the installed app never sees it.
"""

import builtins
import sys
from typing import Any

_exec = builtins.exec


def _exec_into_caller(code: Any, *namespaces: Any, **keywords: Any) -> None:
    """exec(), but without namespaces it writes into the caller's locals, as before Python 3.13."""
    if not namespaces and not keywords:
        caller = sys._getframe(1)
        namespaces = (caller.f_globals, caller.f_locals)
    _exec(code, *namespaces, **keywords)


if sys.version_info >= (3, 13):
    builtins.exec = _exec_into_caller
