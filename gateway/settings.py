"""The sole reader of the environment, the command line and the configuration file.

A value is taken from the first that has it: flag, environment (`ITS_…`), TOML file, default.
"""

from __future__ import annotations

import argparse
import ipaddress
import os
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    AnyUrl,
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    UrlConstraints,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_settings import (
    BaseSettings,
    CliSuppress,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
    TomlConfigSettingsSource,
)

from gateway.accounts.keys import Limits
from gateway.backends.pool.knobs import Knobs
from gateway.policy import Caps
from gateway.validation import told
from gateway.wishes import Wishes

BackendUrl = Annotated[
    AnyUrl,
    UrlConstraints(allowed_schemes=["http", "https", "dns+http", "srv+http"], host_required=True),
]
Words = Annotated[tuple[str, ...], NoDecode]

PRESETS: dict[str, Wishes] = {
    "agreement-4": Wishes(strategy="best_of_n", budget=4, verifier="agreement"),
    "agreement-16": Wishes(strategy="best_of_n", budget=16, verifier="agreement"),
    "agreement-64": Wishes(strategy="best_of_n", budget=64, verifier="agreement"),
    "verified-16": Wishes(
        strategy="best_of_n", budget=16, verifier="math", params={"early_exit": True}
    ),
}
"""Presets that every gateway has; `[presets.NAME]` in the TOML file adds to them or replaces."""


EXAMPLE_KEY = "sk-its-change-me"
"""The key that the example deployments ship with; a gateway that takes it says so, loudly."""
OTLP_ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")


class ConfigError(Exception):
    """The configuration cannot be used; the message names the setting."""


class BackendSettings(BaseModel):
    """One upstream. Its key comes from `key_env` or `key_file`, and goes to this upstream only."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    url: BackendUrl = Field(
        description="Base address, with or without `/v1`; with `dns+http` all addresses of the "
        "host, with `srv+http` all servers of the SRV record are backends."
    )
    name: str | None = Field(None, description="Its name in metrics and errors.")
    key_env: str | None = Field(None, description="Environment variable that holds its key.")
    key_file: Path | None = Field(None, description="File that holds its key.")
    key: SecretStr | None = Field(None, description="Its key, in place.")
    models: tuple[str, ...] = Field(
        (), description="The models that it serves; asked of it where empty."
    )
    probe: bool = Field(
        True, description="Find out what it can do by tiny requests; else it is taken to do all."
    )

    @property
    def base(self) -> str:
        """The address without a trailing slash and without `/v1`."""
        return str(self.url).rstrip("/").removesuffix("/v1")

    def secret(self) -> str | None:
        """The key, read now; `ConfigError` where it was promised and is not there."""
        if self.key is not None:
            return self.key.get_secret_value()
        if self.key_env is not None:
            value = os.environ.get(self.key_env)
            if not value:
                raise ConfigError(f"backends.key_env: {self.key_env} is not set")
            return value
        if self.key_file is not None:
            return _read(self.key_file, "backends.key_file").strip()
        return None


class Price(BaseModel):
    """What a model's tokens cost, in the operator's currency a token."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    prompt: float = Field(0.0, ge=0)
    completion: float = Field(0.0, ge=0)


class Roles(BaseModel):
    """Models by what they are for; a strategy asks for a role and never for a name."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    generate: str | None = None
    judge: str | None = None
    outcome_reward: str | None = None
    process_reward: str | None = None
    embed: str | None = None
    translate: str | None = None

    def assigned(self) -> dict[str, str]:
        return {role: model for role, model in self.model_dump().items() if model}


class Settings(BaseSettings):
    """All that an operator can set; each field is a flag and an `ITS_*` variable as well."""

    model_config = SettingsConfigDict(
        env_prefix="ITS_",
        env_nested_delimiter="__",
        extra="forbid",
        cli_kebab_case=True,
        cli_implicit_flags=True,
        cli_hide_none_type=True,
        cli_avoid_json=True,
    )

    host: str = Field("127.0.0.1", description="Address to listen on.")
    port: int = Field(8000, ge=0, le=65535, description="Port to listen on; 0 takes a free one.")
    workers: int = Field(
        1,
        ge=1,
        le=256,
        description="Processes that serve the port, one core each "
        "([workers](../deployment.md#more-cores)).",
    )
    backend: Words = Field(
        (),
        description="Base URL of an upstream (http, https; dns+http, srv+http for all "
        "servers of a name); repeat it for several.",
    )
    backend_key: SecretStr | None = Field(
        None, description="Key for the upstreams given by --backend (better from ITS_BACKEND_KEY)."
    )
    replay: Path | None = Field(
        None,
        description="Recorded answers to serve as an upstream: a file, or a folder of them "
        "([replay](../replay.md)).",
    )
    replay_tokens_per_second: float = Field(
        0.0,
        ge=0,
        allow_inf_nan=False,
        description="Pace of each replayed candidate; 0 replays at once.",
    )
    replay_seed: int | None = Field(
        None, description="Order of recorded answers for requests without a seed; random if unset."
    )
    redis: str | None = Field(
        None,
        repr=False,
        description="Redis for state that gateways share: redis://…, redis+cluster://host:port,…, "
        "redis+sentinel://host:port,…/service ([state](../state.md)).",
    )
    redis_bound_ms: float = Field(
        50.0, gt=0, description="Longest that a request waits for Redis, in all."
    )
    sandbox: Literal["local", "queue"] = Field(
        "local",
        description="Where code is run: on this machine, or by `its-gateway verify-worker`.",
    )
    sandbox_concurrency: int = Field(
        0, ge=0, le=1024, description="Programs run at once; 0 is as many as there are cores."
    )
    calibration: Path | None = Field(
        None,
        description="What `its-gateway calibrate` has written; without it no confidence is told. "
        "Read again when it changes.",
    )
    cache_seconds: float = Field(
        3600.0, gt=0, description="How long samples and answers can be reused."
    )
    receipt_hours: float | None = Field(
        None,
        ge=0,
        description="How long receipts of requests, with their prompts and candidates, are kept; "
        "unset: 24 with Redis, else not at all.",
    )
    share_samples: bool = Field(
        False, description="Let samples and answers of one API key be reused for another."
    )
    config: Path | None = Field(None, description="TOML file with any of these settings.")
    api_key: Words = Field(
        (), repr=False, description="A key that clients may use; repeat it for several."
    )
    api_keys_file: Path | None = Field(None, description="File of client keys, one a line.")
    require_key: bool = Field(
        False, description="Serve nobody without a key, even where none has been made yet."
    )
    assumed_tokens: int = Field(
        1024,
        ge=1,
        description="Tokens reserved for a sample of a key whose tokens are limited, where neither "
        "request nor policy limits them; also its limit then.",
    )
    insecure: bool = Field(False, description="Allow listening beyond loopback without keys.")
    cors_origin: Words = Field((), description="Origin allowed by CORS; repeat it for several.")
    max_body_bytes: int = Field(32 * 2**20, ge=1024, description="Largest request body.")
    max_header_bytes: int = Field(32 * 2**10, ge=1024, description="Largest request headers.")
    keep_alive_seconds: float = Field(
        5.0, gt=0, description="Pause after which a silent stream gets a comment line."
    )
    drain_seconds: float = Field(
        30.0, ge=0, description="How long SIGTERM waits for requests in flight."
    )
    upstream_timeout_seconds: float = Field(
        600.0, gt=0, description="Longest silence of an upstream."
    )
    trace: bool | None = Field(
        None,
        description="Export spans; unset: if OTEL_* say where to ([tracing](../tracing.md)).",
    )
    trace_content: bool = Field(False, description="Put prompts and answers into spans.")
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="Log level."
    )

    backends: CliSuppress[tuple[BackendSettings, ...]] = ()
    presets: CliSuppress[dict[str, Wishes]] = Field(default_factory=dict)
    default: CliSuppress[Wishes] = Wishes()
    caps: CliSuppress[Caps] = Caps()
    roles: CliSuppress[Roles] = Roles()
    pool: CliSuppress[Knobs] = Knobs()
    limits: CliSuppress[dict[str, Limits]] = Field(default_factory=dict)
    revisions: CliSuppress[dict[str, str]] = Field(default_factory=dict)
    prices: CliSuppress[dict[str, Price]] = Field(default_factory=dict)

    @field_validator("backend", "api_key", "cors_origin", mode="before")
    @classmethod
    def _words(cls, value: Any) -> Any:
        if isinstance(value, str):
            return tuple(word.strip() for word in value.split(",") if word.strip())
        return value

    @field_validator("backend")
    @classmethod
    def _addresses(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for url in value:
            BackendSettings.model_validate({"url": url})
        return value

    @model_validator(mode="after")
    def _safe(self) -> Settings:
        keyed = self.client_keys() or (self.redis and self.require_key)
        if not (self.insecure or keyed or _is_loopback(self.host)):
            raise ValueError(
                f"host: {self.host} is reachable from outside; set --api-key, or --redis and "
                "--require-key, or --insecure if something in front of the gateway authenticates "
                "clients"
            )
        if self.sandbox == "queue" and not self.redis:
            raise ValueError("sandbox: queue needs --redis")
        if self.workers > 1 and (problem := self._not_for_several()):
            raise ValueError(problem)
        return self

    def _not_for_several(self) -> str | None:
        """What workers that know nothing of each other's requests could not keep to."""
        many = f"{self.workers} workers"
        if self.limits and not self.redis:
            return f"limits: {many} count together only with --redis"
        if self.receipt_hours and not self.redis:
            return f"receipt_hours: {many} keep receipts only with --redis"
        if self.replay_seed is not None:
            return f"replay_seed: the order is of one process, not of {many}"
        if self.pool.limit < self.workers:
            return f"pool.limit: {self.pool.limit} cannot be divided among {many}"
        if 0 < self.sandbox_concurrency < self.workers:
            return f"sandbox_concurrency: {self.sandbox_concurrency} cannot be divided among {many}"
        return None

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls)

    def client_keys(self) -> frozenset[str]:
        """Keys that clients may use; empty where anyone may."""
        keys = set(self.api_key)
        if self.api_keys_file is not None:
            lines = _read(self.api_keys_file, "api_keys_file").splitlines()
            keys |= {line.strip() for line in lines if line.strip() and not line.startswith("#")}
        return frozenset(keys)

    def tracing(self) -> bool:
        """Whether to export spans: as set, or where OpenTelemetry's variables name a place."""
        told = os.environ.get
        if self.trace is not None or told("OTEL_SDK_DISABLED", "").lower() == "true":
            return bool(self.trace)
        return told("OTEL_TRACES_EXPORTER", "otlp") == "otlp" and any(map(told, OTLP_ENDPOINTS))

    def receipt_seconds(self) -> float:
        """How long receipts are kept; 0 for not at all."""
        default = 24.0 if self.redis is not None else 0.0
        return 3600 * (default if self.receipt_hours is None else self.receipt_hours)

    def upstreams(self) -> list[BackendSettings]:
        """The upstreams of flags and file."""
        flags = [BackendSettings(url=AnyUrl(url), key=self.backend_key) for url in self.backend]
        return [*flags, *self.backends]

    def all_presets(self) -> dict[str, Wishes]:
        return {**PRESETS, **self.presets}


def load(argv: Sequence[str]) -> Settings:
    """Settings for the command line `argv`; `ConfigError` names what is wrong."""
    first = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    first.add_argument("--config", default=os.environ.get("ITS_CONFIG"))
    config = first.parse_known_args(argv)[0].config
    if config is not None and not Path(config).is_file():
        raise ConfigError(f"config: no such file: {config}")

    class FromFile(Settings):
        model_config = SettingsConfigDict(toml_file=config, cli_prog_name="its-gateway serve")

    try:
        return FromFile(_cli_parse_args=list(argv))
    except ValidationError as error:
        raise ConfigError(told(error)) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
        raise ConfigError(f"config: {config}: {error}") from None
    except (SettingsError, ValueError) as error:
        raise ConfigError(str(error)) from None


def _read(path: Path, setting: str) -> str:
    try:
        return path.read_text()
    except OSError as error:
        raise ConfigError(f"{setting}: {error.strerror}: {path}") from None


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
