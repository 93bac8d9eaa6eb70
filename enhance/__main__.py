"""`python -m enhance`."""

import sys

from enhance.cli import main

sys.exit(main())
