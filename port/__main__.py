"""`python -m port VERB`: see port/cli.py."""

import sys

from port.cli import main

sys.exit(main())
