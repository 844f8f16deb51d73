"""Who is next: turns between clients, then between a client's requests, then first come (pure)."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Iterator
from typing import Generic, NamedTuple, TypeVar

T = TypeVar("T")


class Owner(NamedTuple):
    """On whose behalf a call is made: a client (never its key itself) and one of its requests."""

    client: str = ""
    request: str = ""


class FairQueue(Generic[T]):
    """Waiting items; a request of a hundred calls delays another client's single one by one."""

    def __init__(self) -> None:
        self._clients: OrderedDict[str, OrderedDict[str, deque[T]]] = OrderedDict()
        self._size = 0

    def __len__(self) -> int:
        return self._size

    def push(self, owner: Owner, item: T) -> None:
        requests = self._clients.setdefault(owner.client, OrderedDict())
        requests.setdefault(owner.request, deque()).append(item)
        self._size += 1

    def heads(self) -> Iterator[tuple[Owner, T]]:
        """The first item of every request, in the order of turns; do not change it meanwhile."""
        for client, requests in self._clients.items():
            for request, items in requests.items():
                yield Owner(client, request), items[0]

    def take(self, owner: Owner) -> T:
        """The first item of `owner`, whose turn is over."""
        requests = self._clients[owner.client]
        item = requests[owner.request].popleft()
        requests.move_to_end(owner.request)
        self._clients.move_to_end(owner.client)
        self._left(owner)
        return item

    def discard(self, owner: Owner, item: T) -> None:
        """Drop an item, which keeps the turn of those behind it."""
        requests = self._clients.get(owner.client)
        items = requests.get(owner.request) if requests else None
        if items is not None and item in items:
            items.remove(item)
            self._left(owner)

    def _left(self, owner: Owner) -> None:
        self._size -= 1
        requests = self._clients[owner.client]
        if not requests[owner.request]:
            del requests[owner.request]
            if not requests:
                del self._clients[owner.client]
