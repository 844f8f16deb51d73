"""Which rule a text names (`beta;level=0.9`), checked when the request is read."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator

from gateway import Misnamed, guest_of, load
from strategies.rules.base import Rule, Setting

RULES = load("rule", "strategies.rules", "its_gateway.rules")


def made(text: str, setting: Setting) -> tuple[str, Rule]:
    """The name and the rule that `text` names, for `setting`; `Misnamed` where there is none."""
    spec, params = guest_of(text, RULES)
    return spec.name, spec.run(setting, **params)


def _checked(text: str) -> str:
    try:
        guest_of(text, RULES)
    except Misnamed as error:
        where = f"{error.param}: " if error.param else ""
        raise ValueError(f"{where}{error}") from None
    return text


RuleName = Annotated[str, AfterValidator(_checked)]
"""A rule's name and parameters; a ValueError says what is allowed."""
