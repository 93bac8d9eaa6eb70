"""One resident enhancer in this process: one photo at a time, in the order of `engines.queue`."""

import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from contextlib import suppress
from contextvars import copy_context
from dataclasses import replace
from functools import partial
from threading import Event
from traceback import clear_frames
from typing import Any, TypeVar
from uuid import uuid4

from enhance.engines.base import Run, ahead, failure
from enhance.engines.queue import PhotoQueue
from enhance.errors import Cancelled, TookTooLong
from enhance.limits import Limits
from enhance.networks import heap
from enhance.options import Options
from enhance.photos import DECODER, Decoder
from enhance.pipeline.enhancer import Enhanced, Enhancer
from enhance.pipeline.layers import finish
from enhance.records import EngineInfo, Failure, Photo, Result, Source, StopCheck
from enhance.repair.marks import from_picture

T = TypeVar("T")


class LocalEngine:
    """Photos flow through three threads: one decodes, one owns the model, and the caller's own
    thread pastes the faces and encodes.

    While the model works on one photo, the next is decoded and the previous one finished, and the
    model needs no lock. The decoding itself is done by a worker process.

    Both threads serve all runs photo by photo, in the order of `PhotoQueue`. A run requests photo
    k + 1 only when its caller waits for photo k. At any time it therefore has at most two photos in
    the model's thread, one in progress and one waiting, and concurrent runs take turns.
    """

    replicas = running = 1

    def __init__(
        self, load: Callable[[], Enhancer], limits: Limits, decoder: Decoder = DECODER
    ) -> None:
        """load: makes the enhancer; called in the model's thread when it is first needed.
        decoder: may be shared with other engines."""
        heap.keep()  # before the threads have heaps of their own
        self._load_enhancer = load
        self._limits = limits
        self._enhancer: Enhancer | None = None
        self._decoder = decoder
        self._decoding = QueueThread("decode")
        self._model = QueueThread("model")
        self._closed = Event()
        self._runs: set[Event] = set()  # what stops each run that has begun
        decoder.start()  # its workers start while the models are being loaded

    def run(
        self, sources: Iterable[Source], options: Options, *, viewed: bool = False, client: str = ""
    ) -> Run:
        """See `Engine.run`."""
        stop = Event()
        return Run(self._records(sources, options, viewed, client or uuid4().hex, stop), stop.set)

    @property
    def info(self) -> EngineInfo | None:
        """See `Engine.info`."""
        enhancer = self._enhancer
        return enhancer.info if enhancer else None

    def load(self) -> EngineInfo:
        """See `Engine.load`."""
        return self.info or self._model.submit(self._resident, client="", first=True).result().info

    def close(self) -> None:
        """See `Engine.close`."""
        self._closed.set()
        self._decoding.shutdown(wait=False)
        self._model.shutdown(wait=True)
        self._enhancer = None

    def _resident(self) -> Enhancer:
        """The enhancer, loaded once. Only the model's thread calls this."""
        if self._enhancer is None:
            self._enhancer = self._load_enhancer()
            heap.give_back()
        return self._enhancer

    def _records(
        self, sources: Iterable[Source], options: Options, viewed: bool, client: str, stop: Event
    ) -> Iterator[Result | Failure]:
        def checkpoint() -> None:
            if stop.is_set() or self._closed.is_set():
                raise Cancelled("The batch was stopped.")

        decode = partial(self._decoding.submit, self._decode, checkpoint, client=client)
        model = partial(self._model.submit, self._enhance, options, checkpoint, client=client)
        decoding = ahead(((i, s, decode(s, first=i == 0)) for i, s in enumerate(sources)), 1)
        enhancing = ahead(((i, s, model(photo, first=i == 0)) for i, s, photo in decoding), 1)
        self._runs.add(stop)
        try:
            for index, source, future in enhancing:
                try:
                    yield finish(index, source.number, options, *future.result(), viewed=viewed)
                except (Cancelled, CancelledError):
                    return
                except (Exception, SystemExit) as error:  # fails this photo, not the whole run
                    yield failure(index, source.name, error)
                finally:
                    del future  # the traceback of its error leads back to all photos here
        except RuntimeError:  # a closed engine's thread pools accept no more work
            if not self._closed.is_set():
                raise
        finally:
            stop.set()
            self._runs.discard(stop)
            if not self._runs:
                heap.give_back()

    def _decode(self, checkpoint: StopCheck, source: Source) -> tuple[Photo, float]:
        checkpoint()
        start = time.perf_counter()
        photo = self._decoder(source, self._limits)
        marks = from_picture(source.marks) if source.marks else None
        return replace(photo, marks=marks), time.perf_counter() - start

    def _enhance(
        self, options: Options, checkpoint: StopCheck, decoded: Future[tuple[Photo, float]]
    ) -> tuple[Photo, Enhanced]:
        checkpoint()
        photo, seconds = decoded.result()
        most = self._limits.max_seconds
        end = time.monotonic() + most

        def stop_check() -> None:
            checkpoint()
            if time.monotonic() > end:
                raise TookTooLong(
                    "“{name}” was stopped because it took longer than {seconds} "
                    "seconds. Choose a smaller size or a faster background, "
                    "or send a smaller photo.",
                    name=photo.name,
                    seconds=most,
                )

        enhanced = self._resident()(photo, options, stop_check)
        stages = {"decode": round(seconds, 4)} | enhanced.report.seconds
        return photo, replace(enhanced, report=replace(enhanced.report, seconds=stages))


class QueueThread:
    """A thread that does one piece of work after another, in the order of `PhotoQueue`."""

    def __init__(self, name: str) -> None:
        self._queue: PhotoQueue[tuple[Future[Any], Callable[[], Any]]] = PhotoQueue()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=name)

    def submit(
        self, work: Callable[..., T], *arguments: object, client: str, first: bool
    ) -> Future[T]:
        """Do `work` in the caller's context, so that log lines name the request, when its turn
        comes; client, first: see `PhotoQueue.put`. Raises RuntimeError after `shutdown`."""
        future: Future[T] = Future()
        task = partial(copy_context().run, work, *arguments)
        self._queue.put((future, task), client, first=first)
        self._thread.submit(self._next)
        return future

    def shutdown(self, *, wait: bool) -> None:
        """Cancel and forget all work that has not begun. wait: until what has begun is done."""
        self._thread.shutdown(wait, cancel_futures=True)
        with suppress(IndexError):  # none is left
            while True:
                self._queue.take()[0].cancel()

    def _next(self) -> None:
        future, work = self._queue.take()
        try:
            future.set_result(work())
        except BaseException as error:
            clear_frames(error.__traceback__)  # or it would keep the photo
            future.set_exception(error)
        finally:
            del future, work  # for the same reason
