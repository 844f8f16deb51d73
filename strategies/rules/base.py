"""The seam between a rule and the loop that draws for it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from gateway import Sampling, Score
from strategies.rules.watching import Watch


@dataclass(frozen=True, slots=True)
class Setting:
    """What a rule is made for: at most `n` candidates, and `first` or more to begin with.

    `verifier` is the one that the request names, "" for none, and whether it gives `verdicts`;
    `reward` says that a model has the role of a reward model, `tests` that the request has some.
    """

    n: int
    first: int = 1
    verifier: str = ""
    verdicts: bool = False
    reward: bool = False
    tests: bool = False


@dataclass(frozen=True, slots=True)
class Seen:
    """A candidate that has ended: its score, its completion tokens, whether a limit cut it.

    The tokens are about as many where the upstream counted several candidates together.

    `logprobs` are OpenAI's entries for its tokens, where the rule asked for them; `marked` says
    that it marks its answer, or is one that needs no mark (a tool's call, JSON as asked).
    """

    score: Score
    tokens: int = 0
    cut: bool = False
    logprobs: Sequence[Mapping[str, Any]] = ()
    marked: bool = True

    @property
    def key(self) -> str | None:
        """The equivalence class of its answer; None where it gave none."""
        return self.score.key

    @property
    def value(self) -> float:
        """How good its verifier finds it; NaN where that could not judge."""
        return self.score.value if self.score.judged else math.nan


@dataclass(frozen=True, slots=True)
class Draw:
    """Draw `n` more, side by side; `sampling` is over the client's own fields.

    With `watch`, the rule looks at them while they grow, and is told of those that it let end.
    """

    n: int
    sampling: Sampling = field(default_factory=Sampling)
    watch: Watch | None = None


@dataclass(frozen=True, slots=True)
class Stop:
    """Draw no more, for `reason` (`x-its-stop`).

    `evidence` is what the rule goes by, shown in the `its` block. With `abstain`, what was drawn
    is no answer: the client gets a refusal, or a 422 with `error`. `lost` is the rule's own account
    of the chance, in [0, 1], that going on to `n` would have given a right answer instead of a
    wrong one (or, where it has no view of right and wrong, another answer); None: it has none.
    """

    reason: str
    evidence: Mapping[str, Any] = field(default_factory=dict)
    abstain: bool = False
    error: bool = False
    lost: float | None = None


@dataclass(frozen=True, slots=True)
class Work:
    """Have `function(*args)`, picklable, worked out beside the event loop; `solved` is told."""

    function: Callable[..., Any]
    args: tuple[Any, ...] = ()


Next = Draw | Stop | Work


class Rule:
    """Decides from what was seen: the loop calls `ask`, draws, calls `tell`, and so on to a `Stop`.

    `tell` is given all candidates so far, in the order in which they were begun: scores may change
    as more come, since agreement looks at the whole set. The first `ask` comes before any `tell`.
    The loop may draw fewer than asked, as the budget allows, or more, as the client wants choices.
    Drawing less than one is a mistake; beyond the setting's `n` the loop stops by itself.
    """

    verifier: str = "agreement"
    """What scores the candidates unless the request names another; a rule that turns to another
    is told of all candidates again, as that scores them."""
    topic: str = ""
    """Under what name it learns and is counted; its own where empty."""
    verdicts: bool = False
    """Whether that must give verdicts (`Score.passed`)."""
    voted: bool = False
    """Whether `scores` are weights of votes, and the answer with the largest sum wins."""

    decay: float | None = None
    """What past lessons on a route weigh after each new one, in (0, 1]; None: learns nothing."""

    def recall(self, learned: Mapping[str, float]) -> None:
        """Told before the first `ask`, and again before `lesson`: the sum of the lessons so far on
        this route."""

    def lesson(self) -> Mapping[str, float]:
        """What this request adds to them, by name; asked for once, at the end."""
        return {}

    def solved(self, result: Any) -> None:
        """Told what the `Work` asked for came to; None where it took too long."""

    def spent(self) -> Stop | None:
        """The rule's last word where `n` or the budget came first; None where it has none."""
        return None

    def ask(self) -> Next:
        raise NotImplementedError

    def tell(self, seen: Sequence[Seen]) -> None:
        raise NotImplementedError

    def scores(self, scores: Sequence[Score]) -> Sequence[Score]:
        """The scores by which the answer is chosen, given the verifier's."""
        return scores
