"""Replicas that come and go, as one backend: where a call goes, and what if that fails.

::

    ReplicaPool            the seam's view of all below
      Retry         again, elsewhere; keeps what had ended       budget, redraw
      Hedge         a second replica where one is silent (off by default)
      Dispatcher    a place at a replica, or in a fair queue      choice, affinity, queue, outliers
      Replica       one backend, and its health                   breaker, load
    Members         who belongs to it: flags, file, DNS           addresses, probe
"""

from gateway.backends.pool.addresses import Address
from gateway.backends.pool.knobs import Knobs
from gateway.backends.pool.pool import OnBehalf, ReplicaPool
from gateway.backends.pool.queue import Owner

__all__ = ["Address", "Knobs", "OnBehalf", "Owner", "ReplicaPool"]
