"""The keys that clients may use: those of the settings, and those in the store."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Mapping

from pydantic import ValidationError

from gateway.accounts.keys import ANYONE, Key, Limits, digest
from gateway.errors import StateUnavailable, Unauthorized
from gateway.stores import Store, StoreUnavailable

logger = logging.getLogger("its_gateway.accounts")

TABLE = "keys"
REFRESH_SECONDS = 2.0
"""How soon a gateway hears of a key that was revoked."""
FIRST_SECONDS = 0.25
"""How soon it hears of the first key, from which on everybody needs one."""


class Keyring:
    """Keys by digest. What the store said last stands while it is away, and is told it again where
    it has lost it: a key only ever ends by being revoked, never by being forgotten.
    """

    def __init__(
        self,
        store: Store,
        secrets: Iterable[str],
        limits: Mapping[str, Limits],
        *,
        required: bool,
        shared: bool,
    ):
        self._store = store
        self._shared = shared
        self._required = required
        self._own = {digest(secret): _of_settings(secret, limits) for secret in secrets}
        self._stored: dict[str, Key] = {}
        self._asked = self._reached = False
        self._refreshing = asyncio.Lock()

    @property
    def known(self) -> bool:
        """Whether it can be told who may ask: the store's keys were read, or there are others."""
        return bool(self._asked or self._own or self._stored or not self._shared)

    @property
    def needed(self) -> bool:
        """Whether a key is needed: where it is required, or there are any."""
        return bool(self._required or self._own or self._stored)

    async def identify(self, headers: Mapping[str, str]) -> Key:
        """Whose request this is; `Unauthorized` unless its key is known, or none is needed."""
        if not self.needed and self.known:
            return ANYONE
        scheme, _, secret = headers.get("authorization", "").partition(" ")
        # Only digests are compared, so the comparison's time tells nothing of a key.
        of = digest(secret.strip()) if scheme.lower() == "bearer" else ""
        known = self._own.get(of) or self._stored.get(of)
        if known is None and self._shared:
            # It may have been added just now. Without a first look nobody knows that none exist.
            reached = await self._look()
            if not self.needed and self.known:
                return ANYONE
            known = self._stored.get(of)
            # Where the store never named a key, the settings' keys are all that anybody knows of.
            unsure = of and not reached and (self._stored or not self._own)
            if known is None and (unsure or not (self.needed or self.known)):
                raise StateUnavailable("API keys cannot be looked up now")
        if known is None or known.revoked is not None:
            raise Unauthorized("a valid API key is needed: authorization: Bearer KEY")
        return known

    async def keep(self) -> None:
        """Read the store's keys again and again."""
        while self._shared:
            await self._look()
            await asyncio.sleep(REFRESH_SECONDS if self._stored else FIRST_SECONDS)

    async def _look(self) -> bool:
        """Whether the store could be read; who waits for another's look does not look again."""
        waited = self._refreshing.locked()
        async with self._refreshing:
            if not waited:
                try:
                    await self._read()
                    self._asked = self._reached = True
                except StoreUnavailable:
                    self._reached = False
            return self._reached

    async def _read(self) -> None:
        rows = await self._store.rows(TABLE)
        for of, row in rows.items():
            try:
                self._stored[of] = Key.model_validate_json(row)
            except ValidationError:
                logger.error("a key's record cannot be read", extra={"digest": of[:8]})
        for of in self._stored.keys() - rows.keys():
            record = self._stored[of].model_dump_json(exclude_none=True).encode()
            await self._store.write(TABLE, of, record, fresh=True)


def _of_settings(secret: str, limits: Mapping[str, Limits]) -> Key:
    """A key of the settings; its use is booked only where it is limited."""
    id = f"set-{digest(secret)[:10]}"
    return Key(id=id, account=id if limits else "", limits=limits)
