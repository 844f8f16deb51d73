"""The languages that problems are told in."""

from collections.abc import Mapping

from benchmarks.problems.languages.de import GERMAN
from benchmarks.problems.languages.en import ENGLISH
from benchmarks.problems.languages.es import SPANISH
from benchmarks.problems.languages.fr import FRENCH
from benchmarks.problems.languages.ja import JAPANESE
from benchmarks.problems.languages.ru import RUSSIAN
from benchmarks.problems.languages.zh import CHINESE
from benchmarks.problems.story import Language

LANGUAGES: Mapping[str, Language] = {
    language.code: language
    for language in (ENGLISH, FRENCH, GERMAN, SPANISH, JAPANESE, RUSSIAN, CHINESE)
}
