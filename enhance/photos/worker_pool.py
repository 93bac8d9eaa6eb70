"""Photos are decoded in worker processes, so that a harmful file costs only one photo.

A damaged or hostile file can crash a decoder, keep it busy for hours or make it use all memory.
Here it costs only a worker process, which is replaced; see `decode_limits`.

Plain subprocesses are used rather than `multiprocessing`, or pools that build on it such as pebble,
because those import the caller's main module in each worker. It would import Gradio, or run a
user's script a second time.
"""

import logging
import os
import pickle
import socket
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from queue import Empty, LifoQueue
from typing import Any, TypeVar

from enhance.errors import EnhanceError, PhotoError, UnreadablePhoto
from enhance.limits import Limits
from enhance.photos.decode_limits import AT_A_LIMIT, too_costly
from enhance.photos.decoding import decode
from enhance.photos.formats import size_of
from enhance.records import Photo, Source

T = TypeVar("T")

log = logging.getLogger(__name__)

_MAIN = "import sys; sys.path[:] = sys.argv[2:]; import enhance.photos.worker as worker; "
_MAIN += "worker.main(int(sys.argv[1]))"
# Nothing of the server's environment is for workers, and there are passwords in it, except for what
# tells a process where its libraries and folders are.
_INHERITED = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH")
# Threads and malloc arenas both take address space, which is limited.
_ENVIRONMENT = {"MALLOC_ARENA_MAX": "2", "OPENBLAS_NUM_THREADS": "1"}
_START_SECONDS = 120
_STUCK_SECONDS = 1800  # a worker's own limits end it sooner, unless something keeps it from running
_NO_ANSWER = 1  # the exit code when an answer cannot be read


class Decoder:
    """Decodes photos in worker processes, each of which handles one photo at a time."""

    def __init__(self, workers: int = 2, patience: float = 60) -> None:
        """workers: the most that run at once; they are started when needed. patience: seconds of
        wall time that a small photo may take; see `enhance.photos.worker`."""
        self._patience = patience
        self._free: LifoQueue[_Worker | None] = LifoQueue()  # None: a worker yet to be started
        for _ in range(workers):
            self._free.put(None)
        self._answered = False  # whether any worker was ever ready
        self._told = False

    def __call__(self, source: Source, limits: Limits) -> Photo:
        """See `decode`."""
        return self.run(decode, source, source, limits)

    def size_of(self, path: Path) -> tuple[int, int] | None:
        """See `size_of`."""
        try:
            return self.run(size_of, Source.of(path), path)
        except PhotoError:
            return None

    def run(self, function: Callable[..., T], source: Source, *arguments: Any) -> T:
        """Call a module's function in a worker; it may return photos, numbers and bytes.

        source: the photo that it reads. Raises what the function raises, which must be
        EnhanceErrors; UnsupportedPhoto if it exceeds the limits for this photo; UnreadablePhoto if
        it crashes.
        """
        request = pickle.dumps((function, source.path, arguments, self._patience))
        worker, fit = self._free.get(), False
        try:
            if worker is None or not worker.begins(request):
                worker = None  # if the next one cannot be started, there is none to close
                worker = _Worker()
                if not worker.begins(request):
                    raise OSError("the decoder's process ends as soon as it is started")
            self._answered = True
            result, error = worker.answer(source.name)
            fit = True
        except OSError as reason:
            return self._without_worker(function, source, arguments, reason)
        finally:
            if worker and not fit:
                worker.close()
            self._free.put(worker if fit else None)
            if self._answered and not fit:
                self.start()
        if error:
            raise error
        return result

    def start(self) -> None:
        """Start a free worker in the background if it is not running, so that photos need not
        wait for it."""
        with suppress(Empty):
            worker = self._free.get_nowait()
            try:
                worker = worker or _Worker()
            except OSError:  # will be reported with the first photo
                pass
            finally:
                self._free.put(worker)

    def close(self) -> None:
        """End the idle workers. They also end with this process, however that ends."""
        for worker in [self._free.get() for _ in range(self._free.qsize())]:
            if worker:
                worker.close()
            self._free.put(None)

    def _without_worker(
        self, function: Callable[..., T], source: Source, arguments: Any, reason: OSError
    ) -> T:
        """Decode in this process if no worker could ever be started; otherwise fail the photo."""
        if self._answered:
            raise UnreadablePhoto.because(source.name, reason) from reason
        if not self._told:
            why = reason.strerror or reason
            log.warning("photos are decoded in this process, as no other can be started: %s", why)
            self._told = True
        return function(*arguments)


DECODER = Decoder()
"""The workers of this process, shared by all its engines. It need not be closed."""


class _Worker:
    """One worker process. Creating it raises OSError if the process cannot be started."""

    def __init__(self) -> None:
        if os.name != "posix":
            raise OSError("this system is not supported")
        inherited = {name: os.environ[name] for name in _INHERITED if name in os.environ}
        # This process's module search path, which a worker would not have by itself.
        path = [folder or str(Path.cwd()) for folder in sys.path]
        self._socket, theirs = socket.socketpair()
        try:
            with theirs:
                self._process = subprocess.Popen(  # noqa: S603, no argument comes from outside
                    [sys.executable, "-I", "-c", _MAIN, str(theirs.fileno()), *path],
                    env=inherited | _ENVIRONMENT,
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                    pass_fds=[theirs.fileno()],
                    start_new_session=True,  # Ctrl-C is for the server alone
                )
        except OSError:
            self._socket.close()
            raise
        self._stream = self._socket.makefile("rb")

    @property
    def pid(self) -> int:
        """The process ID."""
        return self._process.pid

    def begins(self, request: bytes) -> bool:
        """Have the worker begin with a request; then get its `answer`. False if it ended before,
        as it does once its memory has grown too much, so that no photo is affected."""
        try:
            self._socket.settimeout(_START_SECONDS)
            _Answer(self._stream).load()
            self._socket.sendall(request)
            _Answer(self._stream).load()
        except Exception:  # it has ended, or was compromised
            self.close()
            return False
        return True

    def answer(self, name: str) -> tuple[Any, EnhanceError | None]:
        """What the function returns or raises. Raises PhotoError, about the photo called `name`, if
        the worker ends before that."""
        try:
            self._socket.settimeout(_STUCK_SECONDS)
            result, error, messages = _Answer(self._stream).load()
        except (EOFError, OSError) as reason:
            raise _failure(name, self.close()) from reason
        except Exception as reason:  # a compromised worker may send anything
            self.close()
            raise _failure(name, _NO_ANSWER) from reason
        for logger, level, message in messages:
            logging.getLogger(logger).log(level, "%s", message)
        return result, error

    def close(self) -> int:
        """Kill the process; returns its exit code."""
        self._stream.close()
        self._socket.close()
        self._process.kill()
        return self._process.wait()


class _Answer(pickle.Unpickler):
    """Reads what a worker sends, but creates only photos, errors and sentences."""

    _MODULES = ("enhance.errors", "enhance.records", "enhance.i18n")
    _ARRAYS = ("numpy._core.numeric", "_frombuffer"), ("numpy", "dtype")

    def find_class(self, module: str, name: str) -> Any:
        """See `pickle.Unpickler`."""
        if (module, name) in self._ARRAYS:
            return super().find_class(module, name)
        if module in self._MODULES and "." not in name:
            found = super().find_class(module, name)
            if isinstance(found, type) and found.__module__ == module:
                return found
        raise pickle.UnpicklingError(f"{module}.{name}")


def _failure(name: str, code: int) -> PhotoError:
    """The error for the photo that a worker was reading when it ended. code: its exit code, as in
    `subprocess`."""
    log.warning("a worker ended while it read a photo (exit code %s)", code)
    if code in AT_A_LIMIT:
        return too_costly(name)
    return UnreadablePhoto(
        "“{name}” cannot be decoded: it crashes the decoder. Export it again from the original.",
        name=name,
    )
