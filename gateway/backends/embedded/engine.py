"""Continuous batching on one thread: sequences join at any step and leave at any step."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Sequence

import numpy as np

from gateway.backends.embedded.cache import Cache, Ints
from gateway.backends.embedded.draft import Draft, Mail
from gateway.backends.embedded.guide import hold, redraw
from gateway.backends.embedded.model import Llama
from gateway.backends.embedded.sampler import logprobs, sample
from gateway.errors import UpstreamUnavailable

LIVE = 128
"""Sequences decoded side by side; more wait in line."""
CHUNK = 256
"""Prompt tokens read between two steps, so that a long prompt does not hold up the others."""
IDLE = 30.0
"""Seconds without work after which the caches' memory is given back."""


class Engine:
    """Runs a model's sequences, on a thread that the first call starts and `close` ends."""

    def __init__(self, model: Llama) -> None:
        self._model = model
        self._wake = threading.Condition()
        self._open: set[Draft] = set()
        self._waiting: deque[Draft] = deque()
        self._reset()
        self._outbox: dict[asyncio.AbstractEventLoop, list[Mail]] = {}
        self._thread: threading.Thread | None = None
        self._closed = False

    @property
    def live(self) -> int:
        """Sequences being decoded or waiting."""
        return len(self._open)

    def submit(self, drafts: Sequence[Draft]) -> None:
        """Line the drafts up, first come first served; `UpstreamUnavailable` once closed."""
        with self._wake:
            if self._closed:
                raise UpstreamUnavailable("the embedded model is closed")
            self._open.update(drafts)
            self._waiting.extend(drafts)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="embedded", daemon=True)
                self._thread.start()
            self._wake.notify()

    def abort(self, drafts: Sequence[Draft]) -> None:
        """Drop, before the next step, those of the drafts that have not ended."""
        with self._wake:
            for draft in drafts:
                draft.aborted = True

    def close(self) -> None:
        """End the thread; what is under way fails with `UpstreamUnavailable`."""
        with self._wake:
            self._closed = True
            self._wake.notify()
            thread = self._thread
        if thread is not None:
            thread.join()

    def _run(self) -> None:
        while self._work_to_do():
            try:
                self._drop_aborted()
                self._admit()
                if self._rows:
                    self._step()
            # The thread's boundary: whatever went wrong belongs to the calls that wait for it.
            except Exception as error:  # noqa: BLE001
                self._fail(f"the embedded model failed: {error!r}")
        self._fail("the embedded model is closed")

    def _work_to_do(self) -> bool:
        """Wait for work; False once closed."""
        with self._wake:
            while not self._closed and not self._open:
                if not self._wake.wait(IDLE):
                    self._reset()
            return not self._closed

    def _reset(self) -> None:
        """Empty caches: row i lives in slot i of one, prompts are read in slot 0 of the other."""
        self._rows: list[Draft] = []
        self._cache, self._stage = self._model.cache(), self._model.cache()
        self._stage.open()

    def _drop_aborted(self) -> None:
        with self._wake:
            gone = {draft for draft in self._open if draft.aborted}
            if not gone:
                return
            self._open -= gone
            self._waiting = deque(draft for draft in self._waiting if draft not in gone)
        self._leave([slot for slot, row in enumerate(self._rows) if row in gone])

    def _leave(self, slots: Sequence[int]) -> None:
        for slot in sorted(slots, reverse=True):  # so that what moves into a slot stays
            guide = self._rows[slot].guide
            if guide is not None:
                guide.close()
            self._cache.close(slot)
            last = self._rows.pop()
            if slot < len(self._rows):
                self._rows[slot] = last

    def _admit(self) -> None:
        """Let sequences join, as far as there is room and `CHUNK` prompt tokens go.

        Only the prompt but its last token is read here: the last is fed by the next step, like any
        other. A prompt is read on the stage; what a live sequence or the stage's last prompt shares
        with it is copied, so the candidates of one prompt read it once.
        """
        left = CHUNK
        while self._waiting and len(self._rows) < LIVE:
            body = self._waiting[0].prompt[:-1]
            origin, source, shared = self._nearest(body)
            if shared < len(body):
                if not left:
                    return
                chunk = body[shared : shared + left]
                self._read(origin, source, shared, chunk)
                left -= len(chunk)
                continue
            with self._wake:
                self._rows.append(self._waiting.popleft())
            self._cache.take(self._cache.open(), origin, source, shared)

    def _nearest(self, body: Ints) -> tuple[Cache, int, int]:
        """The cache, the slot and the length of the longest known beginning of `body`."""
        slot, shared = self._cache.relative(body)
        staged = self._stage.relative(body)[1]
        return (self._cache, slot, shared) if shared > staged else (self._stage, 0, staged)

    def _read(self, origin: Cache, source: int, shared: int, chunk: Ints) -> None:
        self._stage.take(0, origin, source, shared)
        self._model.prefill(self._stage, 0, chunk)

    def _step(self) -> None:
        rows = self._rows
        last = np.array([row.tokens[-1] if row.tokens else row.prompt[-1] for row in rows])
        logits = self._model.step(self._cache, last)
        guided = [(at, row, row.guide) for at, row in enumerate(rows) if row.guide is not None]
        hold(logits, guided)
        tokens = sample(logits, rows)
        redraw(logits, guided, tokens)
        scores = logprobs(logits, rows, tokens)
        for row, token, score in zip(rows, tokens.tolist(), scores, strict=True):
            if row.guide is not None and row.guide.rejected:
                row.give_up()
            else:
                row.grow(token, score)
            report = row.report()
            if report is not None:
                self._outbox.setdefault(row.loop, []).append((row.inbox, report))
        ended = [slot for slot, row in enumerate(rows) if row.finish is not None]
        with self._wake:
            self._open.difference_update(rows[slot] for slot in ended)
        self._leave(ended)
        self._post()

    def _post(self) -> None:
        """One call into each event loop, however many sequences grew."""
        outbox, self._outbox = self._outbox, {}
        for loop, mail in outbox.items():
            self._call(loop, mail)

    def _call(self, loop: asyncio.AbstractEventLoop, mail: Sequence[Mail]) -> None:
        try:
            loop.call_soon_threadsafe(_deliver, mail)
        except RuntimeError:  # the loop was closed under its callers: nobody is left to tell
            with self._wake:
                self.abort([draft for draft in self._open if draft.loop is loop])

    def _fail(self, message: str) -> None:
        """Tell every caller, and start afresh."""
        self._post()  # of what had ended by then, nobody else would tell
        with self._wake:
            drafts, self._open = self._open, set()
            self._waiting.clear()
        self._reset()
        for draft in drafts:
            self._call(draft.loop, [(draft.inbox, UpstreamUnavailable(message))])


def _deliver(mail: Sequence[Mail]) -> None:
    for inbox, item in mail:
        inbox.put_nowait(item)
