"""What runs, read from /proc: the family of a process, its descriptors, its memory."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

PROC = Path("/proc")


@dataclass(frozen=True)
class Process:
    """One process; ``pid`` and ``began`` together name it for ever, since numbers are used again.

    Attributes:
        pid: its number.
        began: when it began, in clock ticks since the machine did.
        parent: the number of its parent.
        session: the number of its session.
        state: one letter; Z has ended and waits for its parent.
        command: its command line, for people.
    """

    pid: int
    began: int
    parent: int
    session: int
    state: str
    command: str


def processes() -> list[Process]:
    """Return everything that runs."""
    found = (_read(int(entry.name)) for entry in PROC.iterdir() if entry.name.isdigit())
    return [process for process in found if process is not None]


def descendants(pid: int) -> list[Process]:
    """Return the children of a process, their children and so on."""
    everything = processes()
    family, found = {pid}, []
    while True:
        more = [one for one in everything if one.parent in family and one.pid not in family]
        if not more:
            return found
        family.update(one.pid for one in more)
        found.extend(more)


def survivors(family: list[Process]) -> list[Process]:
    """Return those of a family that still run, and whatever runs in their sessions."""
    known = {(one.pid, one.began) for one in family}
    sessions = {one.session for one in family if one.session == one.pid}
    return [
        one
        for one in processes()
        if one.state != "Z" and ((one.pid, one.began) in known or one.session in sessions)
    ]


def open_descriptors(pid: int) -> int:
    """Count the open file descriptors of a process."""
    return sum(1 for _ in (PROC / str(pid) / "fd").iterdir())


def resident_bytes(pid: int) -> int:
    """Return the resident memory of a process in bytes."""
    pages = (PROC / str(pid) / "statm").read_text(encoding="ascii").split()[1]
    return int(pages) * os.sysconf("SC_PAGE_SIZE")


def _read(pid: int) -> Process | None:
    """Read one process, None when it has gone meanwhile."""
    folder = PROC / str(pid)
    try:
        stat = (folder / "stat").read_text(encoding="utf-8", errors="replace")
        command = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
    except (FileNotFoundError, ProcessLookupError):
        return None
    fields = stat[stat.rindex(")") + 2 :].split()  # the name before it may hold anything
    return Process(pid, int(fields[19]), int(fields[1]), int(fields[3]), fields[0], command)
