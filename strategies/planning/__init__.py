"""When another vote is worth its price: shapes of questions, learned, and plans made for them.

Runs in worker processes: `decide` is what a rule has worked out.
"""

from strategies.planning.deciding import Decision, decide

__all__ = ["Decision", "decide"]
