"""The home folder, and whom the switch runs as: Asterisk never runs as root, and must still reach its files."""

from __future__ import annotations

import contextlib
import hashlib
import os
import pwd
import stat
from collections.abc import Iterator
from pathlib import Path

from callcenter.errors import BadSettings, CallCenterError
from config.settings import Settings

ELSEWHERE = Path("/var/lib")


class FolderClosed(CallCenterError):
    """Asterisk never runs as root, and its user may not enter a folder; chmod o+x it, or set CALLCENTER_HOME."""


def runs_as(settings: Settings) -> tuple[int, int] | None:
    """User and group Asterisk runs as, or None for our own."""
    if os.geteuid() != 0:
        return None
    for name in (settings.switch.user,) if settings.switch.user else ("asterisk", "nobody"):
        with contextlib.suppress(KeyError):
            found = pwd.getpwnam(name)
            if found.pw_uid != 0:
                return found.pw_uid, found.pw_gid
    raise BadSettings("[switch] user: there is no such user, or it is root; Asterisk never runs as root")


def lay(settings: Settings) -> Path:
    """Make the home folder where there is none yet; answers with its real path.

    Root's own folder, where a clone often lies, is closed to whom Asterisk runs as. Then the home is laid under
    /var/lib and linked to, so that nobody has to open /root.
    """
    home = settings.home
    owner = runs_as(settings)
    if not home.exists() and owner is not None and closed(home.parent, *owner) is not None:
        mark = hashlib.sha256(os.fsencode(home)).hexdigest()[:8]
        place = ELSEWHERE / f"callcenter-{mark}"
        place.mkdir(mode=0o755, parents=True, exist_ok=True)
        home.parent.mkdir(parents=True, exist_ok=True)
        home.symlink_to(place)
    home.mkdir(parents=True, exist_ok=True)
    return home.resolve()


def closed(path: Path, uid: int, gid: int) -> Path | None:
    """The first folder on the way to this one that such a user may not enter, or None; what is missing is open."""
    for folder in _downwards(path.resolve()):
        try:
            state = folder.stat()
        except FileNotFoundError:
            return None
        if stat.S_ISDIR(state.st_mode):
            own, group = state.st_uid == uid, state.st_gid == gid
            bit = stat.S_IXUSR if own else stat.S_IXGRP if group else stat.S_IXOTH
            if not state.st_mode & bit:
                return folder
    return None


def _downwards(path: Path) -> Iterator[Path]:
    yield from reversed(path.parents)
    yield path
