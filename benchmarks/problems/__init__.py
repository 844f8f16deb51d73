"""Generated multi-step arithmetic word problems in seven languages, split by a hash."""

from benchmarks.problems.generator import Problem, Split, generate, split_of
from benchmarks.problems.languages import LANGUAGES

__all__ = ["LANGUAGES", "Problem", "Split", "generate", "split_of"]
