"""What outlives a request: one seam, `Store`, in this process's memory or in Redis.

Every operation is atomic, whoever else works on the same store. What cannot be done now raises
`StoreUnavailable`; nothing waits longer than the store's own bound.
"""

from gateway.stores.seam import Claim, State, Store, StoreUnavailable

__all__ = ["Claim", "State", "Store", "StoreUnavailable"]
