"""Where replicas are: given one by one, or under a DNS name whose answer changes."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from urllib.parse import SplitResult, urlsplit


@dataclass(frozen=True, slots=True)
class Address:
    """A server's base URL (no `/v1`), or with `dns+http` or `srv+http` those of a DNS name.

    `models` are what it serves; where empty, it is asked. `probed` lets it be asked what it can do
    as well. The name is for people, and does not make
    it another address.
    """

    name: str = field(compare=False)
    url: str
    key: str | None = field(default=None, repr=False)
    models: tuple[str, ...] = ()
    probed: bool = True


class ResolutionError(Exception):
    """A name has no answer now; what it last said had better stand."""


Lookup = Callable[[SplitResult], Awaitable[list[str]]]


async def by_host(url: SplitResult) -> list[str]:
    """`host:port` of every A and AAAA record, as the system resolves them."""
    loop = asyncio.get_running_loop()
    try:
        found = await loop.getaddrinfo(url.hostname, url.port or 80, type=socket.SOCK_STREAM)
    except OSError as error:
        raise ResolutionError(f"{url.hostname}: {error.strerror}") from error
    return [_place(str(each[4][0]), int(each[4][1])) for each in found]


async def by_service(url: SplitResult) -> list[str]:
    """`host:port` of every SRV record of the best priority."""
    # Here, because it takes a tenth of a second to load and few gateways look up such records.
    import dns.asyncresolver
    import dns.exception
    import dns.rdatatype
    import dns.rdtypes.IN.SRV

    try:
        resolver = dns.asyncresolver.Resolver()
        answer = await resolver.resolve(str(url.hostname), dns.rdatatype.SRV, search=True)
    except dns.exception.DNSException as error:
        raise ResolutionError(f"{url.hostname}: {type(error).__name__}") from error
    records = [each for each in answer if isinstance(each, dns.rdtypes.IN.SRV.SRV)]
    best = min((each.priority for each in records), default=0)
    return [
        _place(each.target.to_text(omit_final_dot=True), each.port)
        for each in records
        if each.priority == best
    ]


def _place(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


LOOKUPS: dict[str, Lookup] = {"dns+http": by_host, "srv+http": by_service}


async def resolved(address: Address) -> list[Address]:
    """The single servers of `address`; `ResolutionError` where there is none."""
    url = urlsplit(address.url)
    lookup = LOOKUPS.get(url.scheme)
    if lookup is None:
        return [address]
    places = sorted(set(await lookup(url)))
    if not places:
        raise ResolutionError(f"{url.hostname}: no address")
    return [replace(address, url=f"http://{place}{url.path}") for place in places]


class Directory:
    """The servers of several addresses; a name that does not resolve keeps its last answer."""

    def __init__(self, addresses: Sequence[Address] = ()):
        self.addresses = tuple(addresses)
        self._last: dict[Address, list[Address]] = {}

    def known(self) -> list[Address]:
        """What needs no look-up, and the last answers of what does."""
        fixed = {a: [a] for a in self.addresses if urlsplit(a.url).scheme not in LOOKUPS}
        return [each for a in self.addresses for each in fixed.get(a, self._last.get(a, []))]

    async def look_up(self) -> list[str]:
        """Ask DNS again; what failed, in words."""
        asked = [a for a in self.addresses if urlsplit(a.url).scheme in LOOKUPS]
        answers = await asyncio.gather(*(_outcome(a) for a in asked))
        for address, answer in zip(asked, answers, strict=True):
            if not isinstance(answer, ResolutionError):
                self._last[address] = answer
        return [str(answer) for answer in answers if isinstance(answer, ResolutionError)]


async def _outcome(address: Address) -> list[Address] | ResolutionError:
    try:
        return await resolved(address)
    except ResolutionError as error:
        return error
