"""Viewers of a session: each has a queue of its own, so that a slow one slows nobody."""

from __future__ import annotations

import asyncio
import json
from collections import deque
from typing import Any

from .encoding import Message, json_text
from .session import LiveSession

WAITING_RESULTS = 2
"""Results that may wait for a viewer; of more, the oldest is left out."""


class Viewer:
    """What one viewer is still to be sent: all events, but the newest results alone.

    Used in the event loop's thread.

    Example:
        >>> viewer = Viewer()
        >>> for number in range(5):
        ...     viewer.tell(Message(dict(number=number)))
        >>> [message.header['number'] for message in viewer._results], viewer.missed
        ([3, 4], 3)
    """

    def __init__(self) -> None:
        self._texts: deque[str] = deque(maxlen=500)
        self._results: deque[Message] = deque()
        self._changed = asyncio.Event()
        self._closed = False
        self._image: int | None = None  # number of the camera image that it has
        self.missed = 0

    def tell(self, message: Message | dict[str, Any]) -> None:
        """Add a message; it never waits."""
        if isinstance(message, Message):
            self._results.append(message)
            if len(self._results) > WAITING_RESULTS:
                self._results.popleft()
                self.missed += 1
        else:
            self._texts.append(json_text(message))
        self._changed.set()

    def close(self) -> None:
        """Let :meth:`next` end, when all is sent."""
        self._closed = True
        self._changed.set()

    async def next(self) -> str | bytes | None:
        """Wait for what to send next; None at the end."""
        while not (self._texts or self._results):
            if self._closed:
                return None
            self._changed.clear()
            await self._changed.wait()
        if self._texts:
            return self._texts.popleft()
        message = self._results.popleft()
        if message.image_number == self._image:
            return message.without_image
        self._image = message.image_number
        return message.with_image


class Hub:
    """Hands on what a session tells to all viewers.

    Args:
        session: The session.
        most: Viewers at a time.
    """

    def __init__(self, session: LiveSession, most: int = 20) -> None:
        self.session, self.most = session, most
        self.viewers: set[Viewer] = set()
        self.ended = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        session.listen(self._heard)

    def join(self) -> Viewer | None:
        """A viewer that is told from now on, at first what the session is; None if there are too many."""
        if len(self.viewers) >= self.most:
            return None
        viewer = Viewer()
        viewer.tell(self.session.description())
        self.viewers.add(viewer)
        self._count()
        return viewer

    def leave(self, viewer: Viewer) -> None:
        """Tell a viewer no more."""
        self.viewers.discard(viewer)
        self._count()

    def close(self) -> None:
        """Let all viewers go, when they have been sent what they are still to be sent."""
        for viewer in self.viewers:
            viewer.close()

    def obey(self, text: str) -> None:
        """Do what a viewer asks for: ``{"pause": true}`` or false. Other texts are left alone."""
        try:
            wish = json.loads(text)
        except ValueError:
            return
        if isinstance(wish, dict) and isinstance(wish.get('pause'), bool):
            self.session.pause(wish['pause'])

    def _heard(self, message: Message | dict[str, Any]) -> None:
        """Called by the session's thread."""
        try:
            self._loop.call_soon_threadsafe(self._tell, message)
        except RuntimeError:  # the loop has ended before the session
            return

    def _tell(self, message: Message | dict[str, Any]) -> None:
        for viewer in self.viewers:
            viewer.tell(message)
        if isinstance(message, dict) and message['type'] == 'ended':
            self.ended.set()

    def _count(self) -> None:
        self.session.watched = bool(self.viewers)
        self._tell(dict(type='viewers', count=len(self.viewers)))
