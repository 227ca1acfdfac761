"""An Asterisk of the project's own: taken out of Debian's packages into the home folder, without root.

No package is installed: the files are unpacked and Asterisk is run by the ``ld.so`` that came with it, so it fits any
machine whose kernel is new enough. The libraries it needs are found from its ELF headers and from the Depends of the
packages, not from a list, so a library that Debian renames breaks nothing. ``python -m config.obtain`` does it by hand.
"""

from __future__ import annotations

import difflib
import fcntl
import hashlib
import json
import platform
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from callcenter.errors import CallCenterError
from config import archive, elf
from config.home import lay
from config.settings import Settings, load

SUITES = ("testing", "unstable")
SEEDS = ("asterisk", "asterisk-modules", "asterisk-core-sounds-en-gsm", "asterisk-moh-opsound-gsm", "libc6")
OLDEST = 20  # the oldest major version the dial plan and the AMI events we read are known to hold for
# Modules that need a library of their own; the libraries of all others come with the binary or the module is left out.
MODULES = ("res_srtp", "codec_opus_open_source", "codec_gsm", "format_gsm", "res_crypto", "res_rtp_asterisk")
_NEEDED_SPACE = 200_000_000  # bytes: lists, packages, unpacked twice while replacing
_LEFT_OUT = ("./usr/share/doc", "./usr/share/man", "./usr/share/locale", "./usr/lib/*/gconv")
_STAMP = "obtained.json"
_SUMS = "SHA256SUMS"


class SwitchNotObtained(CallCenterError):
    """Asterisk could not be put into the home folder."""


def obtain(settings: Settings, report: Callable[[str], None] = lambda line: None) -> str:
    """See that there is an Asterisk to run, and say which: its version and where it is.

    The one a setting names, else the one in the home folder (fetched now if it is not there), else one of version 20
    or later on PATH. SwitchNotObtained says what stands in the way.
    """
    if settings.switch.asterisk:
        return _installed(Path(settings.switch.asterisk))
    root = settings.asterisk_root
    try:
        lay(settings)
    except OSError as fault:
        raise SwitchNotObtained(f"{fault.strerror}: {settings.home}") from fault
    with _alone(settings.home / "asterisk.lock"):
        stamp = root / _STAMP
        if stamp.is_file():
            return f"Asterisk {json.loads(stamp.read_text())['version']} in {root}"
        try:
            version = _fetch(settings.home, root, report)
        except CallCenterError as fault:
            on_path = shutil.which("asterisk", path="/usr/local/sbin:/usr/sbin:/sbin:/usr/local/bin:/usr/bin")
            if on_path is None:
                raise
            report(f"{fault}; using the Asterisk that is installed")
            return _installed(Path(on_path))
        except OSError as fault:
            raise SwitchNotObtained(f"{fault.strerror}: {fault.filename or root}") from fault
    return f"Asterisk {version} in {root}"


def launcher(root: Path) -> list[str]:
    """The command that runs the unpacked Asterisk; arguments go behind it."""
    loader = _loader(root)
    libraries = loader.parent
    return [str(loader), "--argv0", "asterisk", "--library-path", str(libraries), str(root / "usr/sbin/asterisk")]


def _fetch(base: Path, root: Path, report: Callable[[str], None]) -> str:
    debs = base / "cache" / "debs"
    packed = _cached(debs)
    if packed is None:
        if shutil.disk_usage(base).free < _NEEDED_SPACE:
            raise SwitchNotObtained(f"{base} has less than {_NEEDED_SPACE // 1_000_000} MB free")
        report("Fetching Asterisk from Debian …")
    with tempfile.TemporaryDirectory(prefix="asterisk-", dir=base) as temporary:
        fresh = Path(temporary) / "root"
        if packed is None:
            suite = _download(base, debs, fresh)
        else:
            suite = json.loads((debs / "suite.json").read_text())
            for deb in packed:
                _unpack(deb, fresh)
        _tidy(fresh)
        version = _version(launcher(fresh))
        (fresh / _STAMP).write_text(json.dumps({"version": version, "suite": suite}) + "\n")
        if root.exists():
            shutil.rmtree(root)
        fresh.chmod(0o755)  # Asterisk does not run as who unpacked it
        fresh.rename(root)
    return version


def _download(base: Path, debs: Path, root: Path) -> str:
    """Fetch and unpack the packages and, round by round, those that hold a library still missing."""
    source = _archive(base)
    shutil.rmtree(debs, ignore_errors=True)
    have: set[str] = set()
    wanted = set(SEEDS)
    while wanted:
        source.download(wanted, debs / "new")
        for deb in sorted((debs / "new").glob("*.deb")):
            _unpack(deb, root)
            deb.rename(debs / deb.name)
        have |= wanted
        missing = missing_libraries(root)
        wanted = providers(missing, source.depends(have) - have) if missing else set()
        if missing and not wanted:
            raise SwitchNotObtained(f"no package of Debian {source.suite} holds {', '.join(sorted(missing))}")
    (debs / "new").rmdir()
    (debs / "suite.json").write_text(json.dumps(source.suite))
    sums = "".join(f"{_sha256(deb)}  {deb.name}\n" for deb in sorted(debs.glob("*.deb")))
    (debs / _SUMS).write_text(sums)
    shutil.rmtree(source.folder)  # the lists are 100 MB, and stale the next time
    return source.suite


def _archive(base: Path) -> archive.Archive:
    """The first suite, at the first mirror, that has an Asterisk new enough."""
    known = archive.mirrors()
    if not known:
        raise SwitchNotObtained(
            f"{platform.node()} is not a Debian machine with its main archive among the apt sources; install Asterisk"
            f" {OLDEST} or later and name it as switch.asterisk in callcenter.toml"
        )
    for suite in SUITES:
        source = archive.Archive(base / "cache" / f"apt-{suite}", known[0], suite)
        source.update()
        if _major(source.version("asterisk")) >= OLDEST:
            return source
    raise SwitchNotObtained(f"neither Debian testing nor unstable has Asterisk {OLDEST} or later at the moment")


def missing_libraries(root: Path) -> set[str]:
    """The sonames that Asterisk, its indispensable modules and their libraries ask for and the root does not hold."""
    libraries = _loader(root).parent
    here = {path.name for path in libraries.iterdir()}
    modules = _modules(root)
    to_read = [root / "usr/sbin/asterisk", *(modules / f"{name}.so" for name in MODULES)]
    seen: set[str] = set()
    while to_read:
        for soname in elf.needed(to_read.pop()):
            if soname not in seen:
                seen.add(soname)
                if soname in here:
                    to_read.append(libraries / soname)
    return seen - here


def providers(sonames: set[str], packages: set[str]) -> set[str]:
    """Packages to try next for these sonames: those named by Debian's rule, or, where none is, the likest name."""
    ruled = {soname: {package for package in packages if package in _names(soname)} for soname in sonames}
    exact = {package for found in ruled.values() for package in found}
    if exact:
        return exact
    return {
        max(packages, key=lambda package: difflib.SequenceMatcher(None, _names(soname)[0], package).ratio())
        for soname in sonames
        if packages
    }


def _names(soname: str) -> list[str]:
    """What a package with this library is called: libedit.so.2 → libedit2; libxml2.so.16 → libxml2-16."""
    stem, _, number = soname.lower().replace("_", "-").partition(".so")
    number = number.removeprefix(".")
    names = [f"{stem}{number}", f"{stem}-{number}"] if number else [stem]
    return [*names, *(f"{name}t64" for name in names)]


def _tidy(root: Path) -> None:
    """What the packages' own scripts would do, and nothing left that cannot load."""
    sounds = root / "usr/share/asterisk/sounds"
    voice = next((folder for folder in sorted(sounds.glob("en_US_*")) if folder.is_dir()), None)
    if voice is None or not (sounds.parent / "moh").is_dir():
        raise SwitchNotObtained("Debian's packages hold no English prompts or no music on hold")
    if not (sounds / "en").exists():
        (sounds / "en").symlink_to(voice.name)
    libraries = _loader(root).parent
    here = {path.name for path in libraries.iterdir()}
    for module in _modules(root).glob("*.so"):
        if not set(elf.needed(module)) <= here:
            module.unlink()


def _cached(debs: Path) -> list[Path] | None:
    """The packages fetched earlier; None if one of them is missing or not as it was."""
    sums = debs / _SUMS
    if not sums.is_file():
        return None
    listed = [line.split(maxsplit=1) for line in sums.read_text().splitlines()]
    packed = [debs / name for _, name in listed]
    whole = all(path.is_file() and _sha256(path) == digest for path, (digest, _) in zip(packed, listed, strict=True))
    return packed if packed and whole else None


def _unpack(deb: Path, root: Path) -> None:
    root.mkdir(parents=True, exist_ok=True)
    with subprocess.Popen(["dpkg-deb", "--fsys-tarfile", deb], stdout=subprocess.PIPE) as packed:
        leave = [f"--exclude={name}" for name in _LEFT_OUT]
        done = subprocess.run(
            ["tar", "-x", "-C", root, "--no-same-owner", *leave], stdin=packed.stdout, capture_output=True, text=True
        )
    if done.returncode or packed.returncode:
        full = "No space left" in done.stderr
        raise SwitchNotObtained("the disk is full" if full else f"{deb.name} cannot be unpacked: {done.stderr.strip()}")


def _loader(root: Path) -> Path:
    found = sorted(root.glob("usr/lib/*/ld-*.so*")) or sorted(root.glob("usr/lib/ld-*.so*"))
    if not found:
        raise SwitchNotObtained("the package libc6 holds no ld.so")
    return found[0]


def _modules(root: Path) -> Path:
    found = sorted(root.glob("usr/lib/*/asterisk/modules"))
    if not found:
        raise SwitchNotObtained("the package asterisk-modules holds no modules")
    return found[0]


def _installed(binary: Path) -> str:
    """SwitchNotObtained if it is too old or does not run."""
    version = _version([str(binary)])
    if _major(version) < OLDEST:
        raise SwitchNotObtained(f"{binary} is version {version}; {OLDEST} or later is needed")
    return f"Asterisk {version} in {binary}"


def _version(command: list[str]) -> str:
    try:
        done = subprocess.run([*command, "-V"], capture_output=True, text=True, timeout=20)
    except (OSError, subprocess.TimeoutExpired) as fault:
        raise SwitchNotObtained(f"{command[-1]} does not run: {fault}") from fault
    found = re.search(r"Asterisk (\d[\w.]*)", done.stdout)
    if done.returncode or found is None:
        raise SwitchNotObtained(f"{command[-1]} does not run: {(done.stderr or done.stdout).strip()}")
    return found[1]


def _major(version: str) -> int:
    """22 of ``1:22.10.1+dfsg-1``; 0 of nothing."""
    found = re.match(r"(?:\d+:)?(\d+)", version)
    return int(found[1]) if found else 0


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def _alone(lock: Path) -> Iterator[None]:
    """Two starts at once must not unpack over each other."""
    try:
        handle = lock.open("w")
    except OSError as fault:
        raise SwitchNotObtained(f"{fault.strerror}: {lock}") from fault
    with handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def main() -> int:
    try:
        found = obtain(load(), _say)
    except CallCenterError as fault:
        sys.stderr.write(f"{fault}\n")
        return 1
    sys.stdout.write(f"{found}\n")
    return 0


def _say(line: str) -> None:
    sys.stderr.write(f"{line}\n")


if __name__ == "__main__":
    sys.exit(main())
