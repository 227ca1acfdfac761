"""Asterisk as a process of ours: started, asked, adopted, stopped. It outlives us when we are killed: calls go on."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import hashlib
import logging
import os
import select
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

from callcenter.errors import CallCenterError, PortBusy
from config import switch
from config.home import FolderClosed, closed, runs_as
from config.settings import Settings

log = logging.getLogger(__name__)

_FIXED_AT_START = ("asterisk.conf", "modules.conf", "http.conf", "rtp.conf", "manager.conf", "logger.conf", "cel.conf")
_LOGS = {"messages.log": 20, "console.log": 20, "queue_log": 200, "cel-custom/cel.csv": 200}  # MB at most
_LOGS_KEPT = 5
_STOP_S = 10.0
_ANSWER_S = 4.0


class SwitchNotStarted(CallCenterError):
    """The switch did not start."""


class SwitchSilent(CallCenterError):
    """The switch does not answer its own console."""


class Process:
    """The switch of these settings, whether we started it or an earlier run of ours did."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._etc = settings.switch_home / "etc"
        self._child: subprocess.Popen[bytes] | None = None
        self._installation: switch.Installation | None = None

    @property
    def pid(self) -> int | None:
        """The process that runs on our files, or None."""
        try:
            pid = int((switch.control_folder(self.settings) / "asterisk.pid").read_text())
            command = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        except (OSError, ValueError):
            return None
        if self._child is not None and self._child.pid == pid and self._child.poll() is not None:
            return None
        return pid if os.fsencode(self._main_file) in command and b"-rx" not in command else None

    def start(self) -> None:
        """Start it, or adopt the one that runs: a kill of ours must not end calls, so it may still be there.

        One that runs on other files than those rendered now (another port, another module) is replaced; one that
        does not answer too. PortBusy, FolderClosed, SwitchNotStarted.
        """
        if (pid := self.pid) is not None:
            answers = self._answers()
            if answers and self._as_rendered():
                self.reload()
                log.info("the switch runs already (pid %s): its calls go on", pid)
                return
            log.warning(
                "the switch that runs (pid %s) %s; it is replaced", pid, "has other settings" if answers else "is mute"
            )
            self.stop(_STOP_S if answers else 1.0)
        if self._child is not None:  # it has said good-bye; its ports are free once it is gone
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._child.wait(_STOP_S)
        self.bound_logs()
        installation = self._installation = switch.find(self.settings)
        home = switch.folders(self.settings)
        self._check_ports()
        owner = runs_as(self.settings)
        if owner is not None:
            for path in (self._main_file.parent, installation.modules, installation.data):
                if (folder := closed(path, *owner)) is not None:
                    raise FolderClosed(str(folder))
        _make_private(switch.control_folder(self.settings), home, owner)
        switch.begin_boot(home, self.settings.switch.name)
        with (home / "log" / "console.log").open("ab") as out:
            self._child = subprocess.Popen(
                [*installation.argv, "-f", "-C", str(self._main_file)],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                cwd="/",
                # Threads that come and go leave holes; two arenas keep the memory of a busy day flat.
                env={"MALLOC_ARENA_MAX": "2", "LANG": "C.UTF-8", "PATH": "/usr/sbin:/usr/bin:/sbin:/bin"},
                # Of its own session: Ctrl-C at our terminal is ours to answer, not its.
                start_new_session=True,
                umask=0o027,
                user=owner[0] if owner is not None else None,
                group=owner[1] if owner is not None else None,
                extra_groups=[] if owner is not None else None,
            )
        (home / "run" / "rendered").write_text(self._rendered())

    def wait_booted(self, timeout_s: float = 30.0) -> None:
        """Until it takes calls. SwitchNotStarted, with its last words, when it ends or the time is over."""
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            if self._child is not None and self._child.poll() is not None:
                raise SwitchNotStarted(f"it ended with {self._child.returncode}: {self._last_words()}")
            with contextlib.suppress(SwitchSilent):
                if "fully booted" in self.cli("core waitfullybooted", deadline - time.monotonic()):
                    return
            time.sleep(0.05)
        raise SwitchNotStarted(f"not within {timeout_s:g} s: {self._last_words()}")

    async def ended(self, within_s: float) -> bool:
        """True as soon as it does not run, False if it still runs after so long."""
        pid = self.pid
        try:
            handle = os.pidfd_open(pid) if pid is not None else None
        except ProcessLookupError:
            handle = None
        if handle is None:
            return True
        loop, gone = asyncio.get_running_loop(), asyncio.Event()
        loop.add_reader(handle, gone.set)
        try:
            async with asyncio.timeout(within_s):
                return await gone.wait()
        except TimeoutError:
            return False
        finally:
            loop.remove_reader(handle)
            os.close(handle)

    def cli(self, command: str, timeout_s: float = 10.0) -> str:
        """What the console of the switch says to a command. SwitchSilent."""
        self._installation = self._installation or switch.find(self.settings)
        argv = [*self._installation.argv, "-C", str(self._main_file), "-rx", command]
        try:
            done = subprocess.run(argv, capture_output=True, timeout=max(timeout_s, 0.1), check=False)
        except subprocess.TimeoutExpired as fault:
            raise SwitchSilent(f"{command}: no answer in {timeout_s:g} s") from fault
        if done.returncode:
            raise SwitchSilent((done.stderr or done.stdout).decode(errors="replace").strip()[:200])
        return done.stdout.decode(errors="replace")

    def reload(self) -> None:
        """Take over what was rendered again: phones, queues, numbers. Calls and queue members stay."""
        for command in ("module reload res_pjsip.so", "dialplan reload", "queue reload parameters", "moh reload"):
            self.cli(command)

    def bound_logs(self) -> None:
        """Put aside each log that has grown too long, and forget the oldest; to be called every day."""
        folder = self.settings.switch_home / "log"
        grown = [name for name, most in _LOGS.items() if _size(folder / name) > most * 1_000_000]
        for name in grown:
            for number in range(_LOGS_KEPT - 1, 0, -1):
                with contextlib.suppress(FileNotFoundError):
                    (folder / f"{name}.{number}").replace(folder / f"{name}.{number + 1}")
            (folder / name).replace(folder / f"{name}.1")
        if grown and self.pid is not None:
            self.cli("logger reload")  # it writes on into the file it opened until told

    def stop(self, patience_s: float = _STOP_S) -> None:
        """Hang up every call and end it; by force if it has not ended by itself after so long."""
        pid = self.pid
        if pid is None:
            return
        try:
            handle = os.pidfd_open(pid)
        except ProcessLookupError:
            return
        try:
            for kind in (signal.SIGTERM, signal.SIGKILL):
                with contextlib.suppress(ProcessLookupError):
                    signal.pidfd_send_signal(handle, kind)
                if _ended(handle, patience_s if kind == signal.SIGTERM else _STOP_S):
                    break
        finally:
            os.close(handle)
        if self._child is not None:
            self._child.wait(_STOP_S)
            self._child = None
        run = switch.control_folder(self.settings)
        if not run.is_relative_to(self._main_file.parents[1]):
            shutil.rmtree(run.parent, ignore_errors=True)

    @property
    def _main_file(self) -> Path:
        return self.settings.switch_home.resolve() / "etc" / "asterisk.conf"

    def _answers(self) -> bool:
        try:
            return "fully booted" in self.cli("core waitfullybooted", _ANSWER_S)
        except SwitchSilent:
            return False

    def _rendered(self) -> str:
        """A mark of the files that Asterisk reads at its start only."""
        whole = [(self._etc / name).read_text(encoding="utf-8") for name in _FIXED_AT_START]
        whole.append((self._etc / "pjsip.conf").read_text(encoding="utf-8").partition("[trunk]")[0])  # the transports
        return hashlib.sha256("\0".join(whole).encode()).hexdigest()

    def _as_rendered(self) -> bool:
        try:
            return (self.settings.switch_home / "run" / "rendered").read_text() == self._rendered()
        except OSError:
            return False

    def _check_ports(self) -> None:
        ours = self.settings.switch
        for kind, host, port, key in (
            (socket.SOCK_STREAM, ours.host, ours.ami_port, "ami_port"),
            (socket.SOCK_STREAM, ours.host, ours.http_port, "http_port"),
            (socket.SOCK_DGRAM, ours.sip_bind, ours.sip_port, "sip_port"),
        ):
            with socket.socket(socket.AF_INET, kind) as probe:
                if kind == socket.SOCK_STREAM:
                    probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                try:
                    probe.bind((host, port))
                except OSError as fault:
                    if fault.errno == errno.EADDRINUSE:
                        raise PortBusy(f"{host}:{port}, the setting switch.{key}") from fault
                    raise SwitchNotStarted(f"switch.{key}: {host}:{port}: {fault.strerror}") from fault

    def _last_words(self) -> str:
        said: list[str] = []
        for name in ("log/messages.log", "log/console.log"):
            with contextlib.suppress(OSError):
                lines = (self.settings.switch_home / name).read_text(errors="replace").splitlines()
                said += [line for line in lines[-50:] if "ERROR" in line or name.endswith("console.log")][-3:]
        return " | ".join(said) or f"see {self.settings.switch_home / 'log'}"


def _ended(pidfd: int, timeout_s: float) -> bool:
    return bool(select.select([pidfd], [], [], timeout_s)[0])


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def _make_private(run: Path, home: Path, owner: tuple[int, int] | None) -> None:
    """The folder of the control socket; where it is in a shared temporary directory, nobody may have laid it for us."""
    if run.is_relative_to(home):
        return
    for folder in (run.parent, run):
        with contextlib.suppress(FileExistsError):
            folder.mkdir(mode=0o755)
    if run.parent.is_symlink() or run.parent.stat().st_uid != os.geteuid():
        raise SwitchNotStarted(f"{run.parent} belongs to somebody else")
    run.parent.chmod(0o755)
    run.chmod(0o700)
    if owner is not None:
        os.chown(run, *owner)
