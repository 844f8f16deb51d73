"""Questions to a replica: what it serves, and how busy it is."""

from __future__ import annotations

import asyncio
import logging

from gateway.backends.pool.load import Scraper
from gateway.backends.pool.replica import Replica
from gateway.errors import UpstreamError

logger = logging.getLogger("its_gateway.pool")

PATIENCE = 5.0
"""Seconds that a replica may take to say what it serves."""


async def ask(replica: Replica) -> None:
    """Learn whether it answers, and what it serves where that was not given."""
    was = replica.answering
    try:
        async with asyncio.timeout(PATIENCE):
            models = await replica.backend.models()
    except (UpstreamError, TimeoutError):
        replica.answering, replica.load = False, None
    else:
        replica.answering = True
        if replica.address is None or not replica.address.models:
            replica.models = models
        if was is False:
            replica.breaker.revived(replica.clock())
    if was is not replica.answering:
        told = {"backend": replica.name, "state": replica.state, "place": replica.place}
        logger.info("backend", extra=told)


async def weigh(replica: Replica, scraper: Scraper, patience: float) -> None:
    """Learn its load; what it told stands for `patience` seconds."""
    if replica.address is None:
        return
    now = replica.clock()
    load = await scraper.load(replica.address.url, now)
    stale = replica.load is not None and now - replica.load.at > patience
    if load is not None or stale:
        replica.load = load
