"""Gradio's queue, of which each client has a share, whether it comes from the page or the API."""

import asyncio
import random
import uuid
from collections import Counter
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import Any

import gradio as gr
from anyio import CancelScope
from gradio.data_classes import PredictBodyInternal
from gradio.queueing import Event, Queue
from gradio.route_utils import API_PREFIX, get_fn
from starlette.exceptions import HTTPException
from starlette.requests import Request

from enhance.i18n import say
from enhance.limits import quarter
from enhance.web.language import preferred, translated

# Not 503: Gradio's page would replace the sentence by one of its own.
_REFUSED = 429


class SharedQueue(Queue):
    """A client may have a quarter of the places, and of what runs at once; its further events are
    refused, or wait until its others are done, while those of other clients overtake them."""

    def __init__(
        self, page: gr.Blocks, most: int, begun: str, served: str, served_at_once: int
    ) -> None:
        """most: how many events may wait. begun: concurrency id of the events that go on with what
        has begun; twice as many of them may wait, so that hardly any is refused. served: that of
        `turn`, of which so many are served at once."""
        super().__init__(
            live_updates=True,
            concurrency_count=page.max_threads,
            update_intervals=1,
            max_size=None,
            blocks=page,
            default_concurrency_limit=1,
        )
        self._most = most
        self._begun = begun
        self._owners: dict[str, str] = {}  # of the sessions for which Gradio keeps messages
        self._turns: dict[str, tuple[asyncio.Event, asyncio.Event]] = {}  # begun, ended
        with page:
            waiting = gr.Button(visible=False).click(
                self._take_turn,
                concurrency_id=served,
                concurrency_limit=served_at_once,
                api_visibility="private",
            )
        self._waiting: int = waiting["id"]

    @asynccontextmanager
    async def turn(self, request: Request) -> AsyncIterator[None]:
        """Wait for the turn of a request that is not Gradio's, and hold its place for the block.

        It stands in Gradio's queue as an event that does nothing. Raises HTTPException as `push`.
        """
        name = uuid.uuid4().hex
        begun, ended = self._turns[name] = asyncio.Event(), asyncio.Event()
        # Gradio reads the path, and knows only its own.
        event = Request({**request.scope, "path": f"{API_PREFIX}/queue/join"})
        body = PredictBodyInternal(data=[], fn_index=self._waiting, session_hash=name)
        try:
            await self.push(body, event, None)
            await begun.wait()
            yield
        finally:
            del self._turns[name]
            ended.set()
            with CancelScope(shield=True):
                await self.clean_events(session_hash=name)
            for kept in (self.pending_messages_per_session, self.pending_event_ids_session):
                kept.pop(name, None)

    async def _take_turn(self, request: gr.Request) -> None:
        if turn := self._turns.get(str(request.session_hash)):
            begun, ended = turn
            begun.set()
            await ended.wait()

    async def push(
        self, body: PredictBodyInternal, request: Request, username: str | None
    ) -> tuple[bool, Any, Any]:
        """Add an event. Raises HTTPException with a sentence if there is no place for it."""
        named = body.fn_index is not None  # else Gradio refuses it
        goes_on = named and get_fn(self.blocks, None, body).concurrency_id == self._begun
        most = 2 * self._most if goes_on else self._most
        waiting = [event for queue in self._queues.values() for event in queue.queue]
        client = request.state.client
        own = _clients(waiting + self._at_work())[client]
        if own >= quarter(most):
            sentence = say(
                "You already have your share of the queue ({count} waiting). Your photos are not "
                "lost; try again when one of your batches is done.",
                count=own,
            )
        elif len(waiting) >= most:
            sentence = say(
                "The queue is full: {count} waiting. Your photos are not lost; try again in a few "
                "minutes.",
                count=len(waiting),
            )
        else:
            self._forget_sessions(client)
            pushed = await super().push(body, request, username)
            self._owners[str(body.session_hash)] = client
            return pushed
        language = preferred(request.headers)
        raise HTTPException(_REFUSED, translated(sentence, language))

    def get_events(self) -> tuple[list[Event], bool, str] | None:
        """The next event; None if all have to wait. See `Queue.get_events`."""
        for name in random.sample([*self._queues], len(self._queues)):
            queue = self._queues[name]
            most = queue.concurrency_limit
            if most is not None and queue.current_concurrency >= most:
                continue
            working = _clients(event for event in self._at_work() if event.concurrency_id == name)
            for event in queue.queue:
                if most is None or working[event.request.state.client] < quarter(most):
                    queue.queue.remove(event)
                    return [event], False, name
        return None

    @property
    def _queues(self) -> dict[str, Any]:
        return self.event_queue_per_concurrency_id

    def _at_work(self) -> list[Event]:
        return [event for job in self.active_jobs for event in job or ()]

    def _forget_sessions(self, client: str) -> None:
        """Make room for one more session of a client, and forget what nobody will ask for.

        Gradio keeps the messages of 2,000 sessions, so a client with more than its share would push
        out others that still wait for theirs; and it remembers the events of all for ever.
        """
        messages = self.pending_messages_per_session
        self._owners = {name: owner for name, owner in self._owners.items() if name in messages}
        own = [name for name, owner in self._owners.items() if owner == client]
        if len(own) >= quarter(messages.max_size):
            busy = {event.session_hash for event in self.event_ids_to_events.values()}
            if oldest := next((name for name in own if name not in busy), None):
                del messages[oldest]
        for name in self.pending_event_ids_session.keys() - messages.keys():
            del self.pending_event_ids_session[name]


def _clients(events: Iterable[Event]) -> Counter[str]:
    """How many of the events are whose."""
    return Counter(event.request.state.client for event in events)
