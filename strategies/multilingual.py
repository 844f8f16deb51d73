"""Selection across languages (When Life Gives You Samples, arXiv 2506.20544)."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import ConfigDict, Field, with_config
from typing_extensions import TypedDict

from gateway import Outcome, Session, strategy
from strategies import fairness
from strategies.across import Across, Select, Wish, user_language
from strategies.utilities import Asked, check

Code = Annotated[str, Field(pattern="^[a-z]{2,3}$")]
Error = Annotated[float, Field(ge=0, le=1)]


@with_config(ConfigDict(extra="forbid"))
class LanguageSettings(TypedDict, total=False):
    """What a language has of its own; what is not set is as for all."""

    n: Annotated[int, Field(ge=1, le=64)]
    temperature: Annotated[float, Field(gt=0, le=2)]
    min_p: Annotated[float, Field(ge=0, le=1)]


@strategy
async def multilingual(
    session: Session,
    *,
    n: Annotated[int, Field(ge=1, le=64, description="Candidates to sample.")] = 5,
    select: Annotated[
        Select,
        Field(
            description="How the answer is chosen. `auto`: `x_mbr` over answers where most "
            "candidates mark one, else `chops`. `chops`: one judge's call sees all. `x_mbr`: most "
            "utility over all candidates and over evidence in another language; `mbr`: over the "
            "candidates alone. `agreement`: most votes. `likelihood`: most mean log-probability. "
            "`reward`: the role `outcome_reward`."
        ),
    ] = "auto",
    utility: Annotated[
        Asked,
        Field(
            description="Of `x_mbr` and `mbr`. `answer`: 1 for equal answers, numerals and units "
            "of languages aside. `judge`: log-odds of the role `judge`, in both orders. `chrf`: "
            "shared characters, which says little between languages. `embedding`: cosine in the "
            "role `embed`. `auto`: answers where most are marked, else the first of embedding, "
            "judge and chrf that there is a model for."
        ),
    ] = "auto",
    evidence: Annotated[
        int,
        Field(
            ge=0,
            le=16,
            description="Answers in another language that `x_mbr` draws, where they could change "
            "the choice; they are never the answer.",
        ),
    ] = 3,
    evidence_languages: Annotated[
        tuple[Code, ...],
        Field(
            min_length=1,
            max_length=8,
            description="ISO 639 codes; evidence is in the first that is not the user's.",
        ),
    ] = ("en", "zh"),
    evidence_by: Annotated[
        Literal["instruction", "translation"],
        Field(
            description="`instruction`: the question is asked as it is, with the wish for an "
            "answer in the other language. `translation`: the last turn is translated first, by "
            "the role `translate` or the request's own model."
        ),
    ] = "instruction",
    temperature: Annotated[
        float, Field(gt=0, le=2, description="Of all candidates but the first, which is greedy.")
    ] = 0.8,
    min_p: Annotated[
        float,
        Field(ge=0, le=1, description="Least probability of a token, as a share of the likeliest."),
    ] = 0.1,
    languages: Annotated[
        dict[Code, LanguageSettings] | None,
        Field(
            max_length=200,
            description="`n`, `temperature` and `min_p` by the user's language, before all others.",
        ),
    ] = None,
    split: Annotated[
        Literal["even", "sum", "worst"],
        Field(
            description="How `n`, an average, is split among the languages that have a curve: "
            "`even`, for the least sum of errors, or for the least largest error."
        ),
    ] = "even",
    curves: Annotated[
        dict[Code, Annotated[list[Error], Field(min_length=1, max_length=64)]] | None,
        Field(max_length=200, description="Error at 1, 2, 3, … samples, by language."),
    ] = None,
) -> Outcome:
    """Sample one greedy candidate and the rest at one temperature; choose as fits the task.

    The user's language is the one that the last user turn asks for in words, else its own, detected
    offline; where that is unsure, no answer is held to a language. A candidate that the verifier
    `language` fails is never the answer while another is there that passes, or that is in no
    language; an empty one is the last of all. Evidence and judges spend the
    same tokens, and evidence counts in the budget of samples. Defaults are the paper's where it is
    known (five candidates, three answers as evidence); its prompts are not public, ours are in
    `strategies/prompts/multilingual/`, a file a language, and a language without one is asked in
    English (`prompt_language` in `x-its-degraded`). Where no score could be had, the first drawn
    is the answer, the greedy one (`unjudged`).
    """
    await check(session, select, utility)
    language = await user_language(session)
    own: LanguageSettings = (languages or {}).get(language or "", {})
    shares = fairness.split(curves or {}, n, split) if split != "even" else {}
    wish = Wish(
        n=own.get("n", shares.get(language or "", n)),
        temperature=own.get("temperature", temperature),
        min_p=own.get("min_p", min_p),
        select=select,
        utility=utility,
        evidence=evidence,
        evidence_languages=evidence_languages,
        translated=evidence_by == "translation",
    )
    return await Across(session, language, wish).run()
