"""What a request may spend and how: headers over body over preset over default, under the caps."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import Any, get_args

from pydantic import ValidationError

from gateway.composition import Misnamed, appointed
from gateway.errors import InvalidRequest
from gateway.naming import NamesVerifier
from gateway.registry import Check, Registry, Spec, problem
from gateway.types import Budget
from gateway.wishes import Cache, Detail, Wishes, from_headers, header_of, invalid

LONGEST_KEPT = 1024
"""Characters of a body's wishes; what is longer is hardly said twice."""

OF_A_STRATEGY = ("params", "verifier", "budget")
"""Fields that mean nothing beside another strategy than the one they were written for."""


@dataclass(frozen=True, slots=True)
class Caps:
    """The operator's limits on every request; None is without limit."""

    samples: int | None = 128
    tokens: int | None = None
    deadline_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Policy:
    """One request's policy, complete and checked. `params` are the strategy's arguments."""

    strategy: Spec
    params: Mapping[str, Any]
    budget: Budget
    needs: tuple[str, ...] = ()
    checks: tuple[Check, ...] = ()
    abstain: float | None = None
    detail: Detail = "none"
    progress: bool = False
    asked: int = 1
    cache: Cache = "off"
    route: str = field(init=False)
    """The strategy and its parameters: requests on one route are answered in the same way."""

    def __post_init__(self) -> None:
        # Here, as one policy serves many requests.
        said = (f"{name}={_plain(value)}" for name, value in sorted(self.params.items()))
        object.__setattr__(self, "route", ";".join([self.strategy.name, *said]))

    @property
    def verifier(self) -> str | None:
        """The verifier that the policy names, as the request wrote it."""
        named = self.params.get("verifier")
        return named if isinstance(named, str) else None


@dataclass(frozen=True)
class Rules:
    """Where policies come from: the registries, the operator's presets, default and caps."""

    strategies: Registry
    verifiers: Registry
    presets: Mapping[str, Wishes] = field(default_factory=dict)
    default: Wishes = field(default_factory=Wishes)
    caps: Caps = field(default_factory=Caps)
    scaling: str = "best_of_n"
    """Strategy of a request that asks for a budget or a verifier but names no strategy."""

    def resolve(
        self,
        headers: Mapping[str, str],
        body: Wishes,
        alias: str | None,
        choices: int = 1,
    ) -> Policy:
        """The policy of a request for `choices` choices; `InvalidRequest` names what is wrong."""
        said = tuple((name, value) for name, value in headers.items() if name.startswith("x-its-"))
        text = (
            ""
            if body.said_nothing
            else body.model_dump_json(include=set(Wishes.model_fields), exclude_unset=True)
        )
        if len(text) > LONGEST_KEPT:
            return self._resolve(dict(said), body, alias, choices)
        return self._kept(said, text, alias, choices)

    @cached_property
    def _kept(self) -> Callable[[tuple[tuple[str, str], ...], str, str | None, int], Policy]:
        """Few distinct policies serve all requests, so they are kept; `text` are the body's."""

        @lru_cache(maxsize=256)
        def resolve(
            said: tuple[tuple[str, str], ...], text: str, alias: str | None, choices: int
        ) -> Policy:
            wishes = Wishes.model_validate_json(text) if text else Wishes()
            return self._resolve(dict(said), wishes, alias, choices)

        return resolve

    def _resolve(
        self, headers: Mapping[str, str], body: Wishes, alias: str | None, choices: int
    ) -> Policy:
        layers = [
            _Layer(from_headers(headers), header_of),
            _Layer(body, lambda name: f"its.{name}"),
            _Layer(self._alias(alias), lambda name: "model"),
            _Layer(self.default, lambda name: name),
        ]
        layers = list(self._expanded(layers))
        spec, layers = self._strategy(layers)
        budget = Budget(
            samples=self._capped(layers, "budget", self.caps.samples),
            tokens=self._capped(layers, "max_tokens", self.caps.tokens),
            seconds=_seconds(self._capped(layers, "deadline_ms", self.caps.deadline_ms)),
        )
        params = self._params(spec, layers, choices)
        asked = params.get("n", choices)
        self._check_amounts(layers, budget, asked, choices)
        return Policy(
            strategy=spec,
            params=params,
            budget=budget,
            needs=self._needs(spec, params),
            checks=self._checks(spec, params),
            abstain=_first(layers, "abstain"),
            detail=_first(layers, "detail") or "none",
            progress=bool(_first(layers, "progress")),
            cache=_first(layers, "cache") or "off",
            asked=asked,
        )

    def _alias(self, alias: str | None) -> Wishes:
        return Wishes() if alias is None else Wishes(strategy=alias)

    def _expanded(self, layers: Sequence[_Layer]) -> Iterator[_Layer]:
        """Put behind the layer that names a preset what that preset says.

        A preset is a whole: what lower layers say for the strategies that they name gives way.
        """
        whole = False
        for layer in layers:
            name = layer.wishes.strategy
            if name is None or not (whole or name in self.presets):
                yield layer
            elif whole:
                yield layer.less("strategy", *OF_A_STRATEGY)
            else:
                # The preset's name gives way to the strategy that it stands for.
                yield layer.less("strategy")
                yield _Layer(self.presets[name], layer.where)
                whole = True

    def _strategy(self, layers: list[_Layer]) -> tuple[Spec, list[_Layer]]:
        """The strategy asked for, and the layers less what lower ones say for another strategy."""
        name = _first(layers, "strategy") or self._implied(layers)
        if name not in self.strategies:
            allowed = ", ".join([*self.strategies.names(), *sorted(self.presets)])
            where = _where(layers, "strategy")
            raise invalid(where, f"unknown strategy or preset {name!r}; allowed: {allowed}")
        kept = [
            layer if layer.wishes.strategy in (None, name) else layer.less(*OF_A_STRATEGY)
            for layer in layers
        ]
        return self.strategies[name], kept

    def _implied(self, layers: Sequence[_Layer]) -> str:
        scales = (_first(layers, "budget") or 1) > 1 or _first(layers, "verifier") is not None
        return self.scaling if scales and self.scaling in self.strategies else "direct"

    def _params(self, spec: Spec, layers: Sequence[_Layer], choices: int) -> dict[str, Any]:
        fields = spec.params.model_fields
        merged: dict[str, Any] = {}
        for layer in reversed(layers):
            if layer.wishes.verifier is not None:
                if "verifier" not in fields:
                    message = f"strategy {spec.name} takes no verifier"
                    raise invalid(layer.where("verifier"), message)
                merged["verifier"] = layer.wishes.verifier
            merged.update(layer.wishes.params or {})
        budget = _first(layers, "budget")
        if "n" in fields:
            default = fields["n"].default
            merged.setdefault("n", budget if budget is not None else max(choices, default))
        where = _where(layers, "params")
        try:
            # Lax, because a header's `early_exit=true` is a token and not a boolean.
            params = dict(spec.params.model_validate(merged))
        except ValidationError as error:
            raise _params_error(error, spec, where) from None
        self._check_verifiers(spec, params, layers)
        return params

    def _check_verifiers(
        self, spec: Spec, params: Mapping[str, Any], layers: Sequence[_Layer]
    ) -> None:
        for name in verifier_params(spec):
            if params[name] is None:
                continue
            where = _where(layers, name) if name == "verifier" else _where(layers, "params")
            check_verifier(self.verifiers, params[name], where)

    def _capped(self, layers: Sequence[_Layer], name: str, cap: int | None) -> int | None:
        value: int | None = _first(layers, name)
        if value is None:
            return cap
        if cap is not None and value > cap:
            raise invalid(_where(layers, name), f"{value} is over this gateway's cap of {cap}")
        return value

    def _check_amounts(
        self, layers: Sequence[_Layer], budget: Budget, asked: int, choices: int
    ) -> None:
        cap = self.caps.samples
        if cap is not None and asked > cap:
            where = "n" if asked == choices else f"{_where(layers, 'params')}.n"
            raise invalid(where, f"{asked} samples are over this gateway's cap of {cap}")
        if budget.samples is not None and choices > budget.samples:
            message = f"{choices} choices need a budget of at least as many samples"
            raise invalid("n", f"{message}; allowed: 1 to {budget.samples}")

    def _needs(self, spec: Spec, params: Mapping[str, Any]) -> tuple[str, ...]:
        needs = [*spec.needs, *(need for each in self._named(spec, params) for need in each.needs)]
        return tuple(dict.fromkeys(needs))

    def _checks(self, spec: Spec, params: Mapping[str, Any]) -> tuple[Check, ...]:
        found = [each.check for each in self._named(spec, params)]
        return tuple(check for check in found if check is not None)

    def _named(self, spec: Spec, params: Mapping[str, Any]) -> list[Spec]:
        """The verifiers that the strategy's parameters name."""
        names = [params[name] for name in verifier_params(spec) if params[name] is not None]
        return [appointed(name, self.verifiers)[0] for name in names]


@dataclass(frozen=True, slots=True)
class _Layer:
    wishes: Wishes
    where: Callable[[str], str]

    def less(self, *names: str) -> _Layer:
        """The layer without the fields `names`."""
        return _Layer(self.wishes.model_copy(update=dict.fromkeys(names)), self.where)


def verifier_params(spec: Spec) -> list[str]:
    """Names of the parameters of `spec` that name a verifier."""
    return [
        name
        for name, info in spec.params.model_fields.items()
        if any(isinstance(mark, NamesVerifier) for mark in _marks(info))
    ]


def _marks(info: Any) -> list[Any]:
    """Metadata of a field, that of the members of an optional included."""
    marks = list(info.metadata)
    for member in get_args(info.annotation):
        marks += getattr(member, "__metadata__", ())
    return marks


def check_verifier(verifiers: Registry, text: str, where: str) -> None:
    """`InvalidRequest` at `where` unless `text` names a verifier with parameters that it takes."""
    try:
        appointed(text, verifiers)
    except Misnamed as error:
        raise invalid(f"{where}.{error.param}" if error.param else where, str(error)) from None


def _params_error(error: ValidationError, spec: Spec, where: str) -> InvalidRequest:
    name, message = problem(error, spec)
    return invalid(f"{where}.{name}", message)


def _first(layers: Sequence[_Layer], name: str) -> Any:
    for layer in layers:
        value = getattr(layer.wishes, name)
        if value is not None:
            return value
    return None


def _where(layers: Sequence[_Layer], name: str) -> str:
    for layer in layers:
        if getattr(layer.wishes, name) is not None:
            return layer.where(name)
    return name


def _plain(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True, default=str)


def _seconds(milliseconds: int | None) -> float | None:
    return None if milliseconds is None else milliseconds / 1000
