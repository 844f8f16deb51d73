"""Rules of `adaptive`: what to draw next and when to stop, one file each, without a model.

A rule's file holds a factory marked with `@rule`: its first argument is the `Setting`, its
keyword-only parameters are the rule's own (`rule="beta;level=0.9"`), and it returns a `Rule`.
"""

from strategies.rules.base import Draw, Next, Rule, Seen, Setting, Stop, Work
from strategies.rules.watching import Growing, Watch

__all__ = ["Draw", "Growing", "Next", "Rule", "Seen", "Setting", "Stop", "Watch", "Work"]
