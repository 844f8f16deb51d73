"""What an operator can turn: the `[pool]` table of the settings."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class Knobs(BaseModel):
    """How calls are spread over replicas, and what is done about those that fail."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    limit: int = Field(
        1024, ge=1, description="Candidates under way at one replica; more wait in line."
    )
    queue_seconds: float = Field(
        30.0, ge=0, description="How long a call waits in line before it is refused with a 429."
    )
    affinity_slack: float = Field(
        16.0, ge=0, description="Work that a prompt's own replica may always have."
    )
    affinity_spread: float = Field(
        1.25,
        ge=1,
        description="Times the mean work, on top of that, before a prompt goes elsewhere.",
    )
    retries: int = Field(
        4, ge=0, description="How often a failed call is made again, elsewhere where possible."
    )
    retry_pause: float = Field(
        0.1, gt=0, description="Longest random pause in seconds before a retry, doubled each time."
    )
    retry_ratio: float = Field(
        0.2, ge=0, description="Retries a call, over all calls, that are granted in the long run."
    )
    retry_reserve: int = Field(
        100, ge=0, description="Retries that are granted beyond the ratio in some 20 seconds."
    )
    hedge_seconds: float | None = Field(
        None, gt=0, description="Without a sign of life by then, a call is made elsewhere as well."
    )
    breaker_failures: int = Field(
        3, ge=1, description="Failures in a row at which a replica is left alone."
    )
    breaker_pause: float = Field(
        1.0, gt=0, description="Seconds until it is tried again, doubled at each failed trial."
    )
    breaker_longest: float = Field(30.0, gt=0, description="Longest such pause in seconds.")
    probe_seconds: float = Field(
        5.0, gt=0, description="Pause between questions to a replica for its models."
    )
    load_seconds: float = Field(
        2.0, gt=0, description="Pause between looks at vLLM's metrics; three missed ones are stale."
    )
    resolve_seconds: float = Field(
        10.0, gt=0, description="Pause between DNS look-ups and looks at the configuration file."
    )
