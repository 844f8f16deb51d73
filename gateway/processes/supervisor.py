"""The process that starts workers, replaces those that die, and ends when they are to end."""

from __future__ import annotations

import logging
import os
import select
import signal
import socket
import time
from collections import deque
from collections.abc import Callable
from types import FrameType

from gateway.processes.census import Census
from gateway.processes.frames import Kind
from gateway.processes.line import Place
from gateway.processes.link import Link
from gateway.processes.listeners import sharing
from gateway.processes.seats import Seat, Worker

logger = logging.getLogger("its_gateway")

SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD)
MOST_BARREN = 5
"""So many starts in a row that came to nothing, with no worker left, are the end of it."""
ASKED_SECONDS, SILENT_SECONDS = 5.0, 60.0
"""How often a worker is asked what it counted, as much of which as it tells is not lost with it,
and after how long a silence it is killed."""
STOP_SECONDS = 10.0
"""What workers have to stop in, beyond the time that they wait for requests in flight."""


class Supervisor:
    """Keeps a worker at each of `listeners`, of one port; `began` is called once one serves.

    It has one thread and no event loop, so that it can be forked at any time.
    """

    def __init__(
        self,
        listeners: list[socket.socket],
        census: Census,
        drain_seconds: float,
        began: Callable[[], None],
    ):
        self._address = listeners[0].getsockname()[:2]
        self._seats = [Seat(number, each) for number, each in enumerate(listeners, 1)]
        self._census = census
        self._patience = drain_seconds + STOP_SECONDS
        self._began = began
        self._created = int(time.time())
        self._workers: dict[int, Worker] = {}
        self._signals: deque[int] = deque()
        self._alarm, self._wakeup = socket.socketpair()
        self._proven = False
        self._barren = 0
        self._deadline: float | None = None
        self._status = 0

    def run(self) -> int | Place:
        """Returns in each worker with its place, and in the supervisor, at the end of all, with
        its exit status: that of a first worker that could not start; 1 where none could be
        replaced or some had to be killed."""
        self._hear_signals()
        while True:
            if self._deadline is None and (place := self._fill()) is not None:
                return place
            self._wait()
            while self._signals:
                self._heed(self._signals.popleft())
            for worker in list(self._workers.values()):
                self._listen_to(worker)
            self._reap()
            self._look()
            if self._deadline is not None and not self._workers:
                return self._status

    def _fill(self) -> Place | None:
        """Start who is due; a first one alone, so that what none can do is told once."""
        now = time.monotonic()
        for seat in self._seats if self._proven else self._seats[:1]:
            if seat.due is None or now < seat.due:
                continue
            try:
                place = self._start(seat, now)
            except OSError as error:  # no port, no memory, no more processes
                self._barren += 1
                self._failed(seat, now, "no worker could be started", reason=error.strerror)
            else:
                if place is not None:
                    return place
        return None

    def _start(self, seat: Seat, now: float) -> Place | None:
        if seat.listener is None:
            seat.listener = sharing(*self._address)
        ours, theirs = socket.socketpair()
        # A signal of the supervisor's is none of a worker's that has not yet said so.
        signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
        try:
            pid = os.fork()
        except OSError:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
            for sock in (ours, theirs):
                sock.close()
            raise
        if pid == 0:
            ours.close()
            self._become_worker(seat)
            return Place(seat.number, seat.listener, theirs, seat.fresh, self._created)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
        theirs.close()
        self._workers[pid] = Worker(pid, seat, Link(ours), now, now, now)
        seat.due, seat.fresh = None, False
        return None

    def _become_worker(self, own: Seat) -> None:
        """Leave to the supervisor what is its own."""
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGTERM, signal.SIGCHLD):
            signal.signal(number, signal.SIG_DFL)
        # Of a terminal's signals, which every process gets, the supervisor decides what becomes.
        for number in (signal.SIGINT, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
        for sock in (self._alarm, self._wakeup):
            sock.close()
        for worker in self._workers.values():
            worker.link.close()
        for seat in self._seats:
            if seat is not own and seat.listener is not None:
                seat.listener.close()

    def _hear_signals(self) -> None:
        def note(number: int, frame: FrameType | None) -> None:
            self._signals.append(number)

        self._alarm.setblocking(False)
        self._wakeup.setblocking(False)
        signal.set_wakeup_fd(self._wakeup.fileno(), warn_on_full_buffer=False)
        for number in SIGNALS:
            signal.signal(number, note)

    def _wait(self) -> None:
        """Until a signal, a word of a worker's, or a time at which something is to be done."""
        now = time.monotonic()
        times = [now + ASKED_SECONDS, self._census.until, self._deadline]
        if self._deadline is None:
            times += [seat.due for seat in self._seats if self._proven or seat.number == 1]
        poll = select.poll()
        poll.register(self._alarm, select.POLLIN)
        for link in (worker.link for worker in self._workers.values()):
            if not link.ended:
                poll.register(link, select.POLLIN | (select.POLLOUT if link.unsent else 0))
        poll.poll(1000 * max(0.0, min(t for t in times if t is not None) - now))
        try:
            self._alarm.recv(4096)
        except BlockingIOError:
            return

    def _heed(self, number: int) -> None:
        name = signal.Signals(number).name
        if number == signal.SIGHUP:
            self._signal(signal.SIGHUP)
        elif number in (signal.SIGTERM, signal.SIGINT) and self._deadline is None:
            logger.info("draining", extra={"signal": name})
            self._stop(self._patience)
        elif number == signal.SIGINT:
            for worker in self._workers.values():
                worker.link.tell(Kind.NOW)

    def _stop(self, patience: float) -> None:
        self._deadline = time.monotonic() + patience
        for seat in self._seats:
            if seat.listener is not None:
                seat.listener.close()
        self._signal(signal.SIGTERM)

    def _signal(self, number: signal.Signals) -> None:
        for worker in self._workers.values():
            os.kill(worker.pid, number)  # which is still there, as only `_reap` buries it

    def _listen_to(self, worker: Worker) -> None:
        worker.link.flush()
        for kind, body in worker.link.heard():
            worker.heard = time.monotonic()
            if not worker.ready:  # whatever it says first
                self._serves(worker)
            if kind is Kind.LEAVING:
                worker.leaving = True
                worker.seat.due = 0.0
            elif kind is Kind.PAGE:
                self._census.wanted(worker.pid)
            elif kind is Kind.COUNTED:
                self._census.counted(worker.pid, body)

    def _serves(self, worker: Worker) -> None:
        worker.ready = True
        self._barren = 0
        self._census.joined(worker.pid, worker.link)
        logger.info(
            "worker", extra={"worker": worker.seat.number, "pid": worker.pid, "state": "up"}
        )
        if not self._proven:
            self._proven = True
            self._began()

    def _reap(self) -> None:
        """Bury the dead, also those that nobody else is left to bury."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            if pid in self._workers:
                self._listen_to(self._workers[pid])
                self._ended(self._workers.pop(pid), os.waitstatus_to_exitcode(status))

    def _ended(self, worker: Worker, status: int) -> None:
        worker.link.close()
        asked = worker.leaving or self._deadline is not None
        self._census.left(worker.pid, asked=asked)
        if asked:
            return
        if not self._proven:  # and has told why
            self._status = status if status > 0 else 1
            if status < 0:
                logger.critical("no worker could be started", extra=_how(status))
            self._stop(self._patience)
            return
        now = time.monotonic()
        if worker.settled(now):
            worker.seat.failures = 0
        self._barren = 0 if worker.ready else self._barren + 1
        self._failed(worker.seat, now, "a worker died", pid=worker.pid, **_how(status))

    def _failed(self, seat: Seat, now: float, message: str, **how: object) -> None:
        """Have another one at `seat`, the later the more failed at once."""
        pause = seat.failed(now)
        logger.error(message, extra={"worker": seat.number, **how, "again_in_seconds": pause})
        if self._barren >= MOST_BARREN and not any(w.ready for w in self._workers.values()):
            logger.critical("no worker can be started")
            self._status = 1
            self._stop(self._patience)

    def _look(self) -> None:
        """Do what is to be done at a time."""
        self._census.look()
        now = time.monotonic()
        for worker in self._workers.values():
            if worker.ready and now - worker.asked >= ASKED_SECONDS:
                worker.asked = now
                worker.link.tell(Kind.COUNT, b"0")
            if now - worker.heard > SILENT_SECONDS:
                worker.heard = now
                self._kill(worker, "a worker does not answer")
        if self._deadline is not None and now >= self._deadline:
            self._deadline = now + STOP_SECONDS
            self._status = 1
            for worker in self._workers.values():
                self._kill(worker, "a worker does not stop")

    def _kill(self, worker: Worker, why: str) -> None:
        logger.error(why, extra={"worker": worker.seat.number, "pid": worker.pid})
        os.kill(worker.pid, signal.SIGKILL)


def _how(status: int) -> dict[str, object]:
    return {"signal": signal.Signals(-status).name} if status < 0 else {"status": status}
