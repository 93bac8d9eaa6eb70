"""The body of a request, which must arrive in time."""

import math

import anyio
from starlette.types import Message, Receive


class Body:
    """A `receive` that says that the client has gone if the body has not arrived in time."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._deadline = math.inf
        self.arriving = True
        self.late = False

    def expect(self, seconds: float) -> None:
        """It should arrive within so many seconds from now; until then there is no limit."""
        self._deadline = anyio.current_time() + seconds

    async def __call__(self) -> Message:
        if not self.arriving:
            return await self._receive()
        with anyio.CancelScope(deadline=self._deadline):
            message = await self._receive()
            self.arriving = message.get("more_body", False)
            return message
        self.late = True
        return {"type": "http.disconnect"}
