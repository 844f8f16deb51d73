"""`its-gateway`: serve, verify-worker, docs, and the commands that packages add by entry point."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.metadata import entry_points, version

USAGE = """\
usage: its-gateway COMMAND [OPTION …]

  serve     run the gateway (its-gateway serve --help)
  verify-worker  run code for gateways, from a Redis queue (its-gateway verify-worker --help)
  keys      API keys and their quotas (its-gateway keys add|list|revoke|usage)
  replay    stored requests under another policy (its-gateway replay --help)
  docs      write the generated reference (its-gateway docs [--check] [DIRECTORY])
{more}
its-gateway --version
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; the exit status is 2 where the command line or configuration is wrong."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    name = arguments[0] if arguments else "--help"
    if name == "serve":
        from gateway.serve import main as serve

        return serve(arguments[1:])
    if name == "verify-worker":
        from gateway.sandbox.worker import main as work

        return work(arguments[1:])
    if name == "keys":
        from gateway.accounts.command import main as keys

        return keys(arguments[1:])
    if name == "replay":
        from gateway.history.command import main as replay

        return replay(arguments[1:])
    if name == "docs":
        from gateway.docs import main as docs

        return docs(arguments[1:])
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
