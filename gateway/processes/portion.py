"""What one worker has of what the settings allow all of them together."""

from __future__ import annotations

import math
import os

from gateway.settings import Settings


def portion(settings: Settings) -> Settings:
    """The settings of each worker. Its keys are those that were read when all began.

    At least one program is run at once by each, also where that is more than there are cores.
    """
    workers, pool = settings.workers, settings.pool
    programs = settings.sandbox_concurrency or os.cpu_count() or 1
    divided = {
        "limit": pool.limit // workers,
        "retry_reserve": math.ceil(pool.retry_reserve / workers),
    }
    return settings.model_copy(
        update={
            "api_key": tuple(sorted(settings.client_keys())),
            "api_keys_file": None,
            "pool": pool.model_copy(update=divided),
            "sandbox_concurrency": max(1, programs // workers),
        }
    )
