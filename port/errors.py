"""The errors a user can cause or meet, and the exit codes they end in.

Exit codes of every command: 0 passed, 1 parity failed, 2 wrong usage, 3 could not run.
"""

import sys
from collections.abc import Callable

PASSED, PARITY_FAILED, WRONG_USAGE, COULD_NOT_RUN = 0, 1, 2, 3
INTERRUPTED = 130  # the shell's convention for SIGINT


class PortError(Exception):
    """Something the user can act on. The message says what, where, expected and found, and what to do."""

    exit_code = COULD_NOT_RUN


class UsageError(PortError):
    """The command line itself is wrong."""

    exit_code = WRONG_USAGE


def run_command(main: Callable[[], int], debug: bool = False) -> int:
    """Run `main` and turn its errors into a message on stderr and an exit code; `debug` keeps the traceback."""
    try:
        return main()
    except PortError as error:
        if debug:
            raise
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return INTERRUPTED
