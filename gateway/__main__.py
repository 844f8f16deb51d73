"""`its-gateway`: serve, verify-worker, docs, and the commands that packages add by entry point."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from importlib.metadata import entry_points, version

USAGE = """\
usage: its-gateway COMMAND [OPTION …]

  serve     run the gateway (its-gateway serve --help)
  verify-worker  run code for gateways, from a Redis queue (its-gateway verify-worker --help)
  keys      API keys and their quotas (its-gateway keys add|list|revoke|usage)
  replay    stored requests under another policy (its-gateway replay --help)
  state     what was learned, as JSON (its-gateway state export|import)
  docs      write the generated reference (its-gateway docs [--check] [DIRECTORY])
{more}
its-gateway --version
"""


COMMANDS = {
    "serve": "gateway.serve",
    "keys": "gateway.accounts.command",
    "replay": "gateway.history.command",
    "state": "gateway.stores.command",
    "verify-worker": "gateway.sandbox.worker",
    "docs": "gateway.docs",
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; the exit status is 2 where the command line or configuration is wrong."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    name = arguments[0] if arguments else "--help"
    if name in COMMANDS:
        # Each is loaded when it is asked for, as some load much.
        own: Callable[[Sequence[str]], int] = import_module(COMMANDS[name]).main
        return own(arguments[1:])
    if name == "--version":
        print(f"its-gateway {version('its-gateway')}")
        return 0
    commands = {entry.name: entry for entry in entry_points(group="its_gateway.commands")}
    if name in commands:
        command = commands[name].load()
        status: int = command(arguments[1:])
        return status
    more = "".join(f"  {name}\n" for name in sorted(commands))
    print(USAGE.format(more=more), file=sys.stdout if name in ("-h", "--help") else sys.stderr)
    return 0 if name in ("-h", "--help") else 2


if __name__ == "__main__":
    sys.exit(main())
