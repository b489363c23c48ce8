"""The model of the config file, used by run and validate alike.

Field names are the file's keys in snake_case. Durations are seconds; references are resolved when the file is loaded.
"""

from __future__ import annotations
