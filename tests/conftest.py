"""What holds for all tests."""

from __future__ import annotations

import signal

# Whoever starts the tests in the background (nohup, a runner) may have had these ignored, and every
# process inherits that; the tests send them to processes of their own and see what they do.
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGHUP, signal.SIG_DFL)
