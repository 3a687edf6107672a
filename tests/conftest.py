"""Settings for all tests."""

from __future__ import annotations

import signal

# A test run in the background (nohup, a runner) may have inherited that these signals are ignored.
# Tests send both to their own processes, which inherit the setting in turn.
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGHUP, signal.SIG_DFL)
