"""Debian packages for the project's own use: fetched with apt in folders of its own, so no root is needed and the
machine's own packages are not touched. The mirror is the one that the machine's own sources name."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from callcenter.errors import CallCenterError

KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
_NO_NETWORK = re.compile(
    r"could not resolve|temporary failure|connection (failed|refused|timed out|reset)|unable to connect"
    r"|network is unreachable|could not connect|connect \(\d+",
    re.IGNORECASE,
)
_EXPIRED = re.compile(r"Release file .* is expired|is not valid yet", re.IGNORECASE)
_NOT_SIGNED = re.compile(r"NO_PUBKEY|is not signed|couldn't be verified|EXPKEYSIG|BADSIG|keyring", re.IGNORECASE)


class PackagesUnreachable(CallCenterError):
    """Debian's packages cannot be fetched."""


@dataclass(frozen=True)
class Mirror:
    uri: str
    signed_by: str = ""  # a keyring file, or the key itself; empty: the keys that apt trusts anyway


def mirrors(etc: Path = Path("/etc/apt"), release: Path = Path("/etc/os-release")) -> list[Mirror]:
    """The mirrors of the main Debian archive that the machine's own sources name, in their order."""
    facts = dict(re.findall(r'^(\w+)="?([^"\n]*)"?$', release.read_text(), re.MULTILINE)) if release.is_file() else {}
    if facts.get("ID") != "debian":
        return []
    suites = {facts.get("VERSION_CODENAME", ""), "oldstable", "stable", "testing", "unstable", "sid"} - {""}
    files = [etc / "sources.list", *sorted((etc / "sources.list.d").glob("*"))]
    found: dict[str, Mirror] = {}
    for file in files:
        read = {".list": _one_line, ".sources": _deb822}.get(file.suffix)
        for uri, named, components, signed_by in read(file.read_text()) if read and file.is_file() else ():
            if suites & set(named) and "main" in components:
                found.setdefault(uri.rstrip("/"), Mirror(uri.rstrip("/"), signed_by))
    return list(found.values())


_Source = tuple[str, list[str], list[str], str]


def _one_line(text: str) -> Iterator[_Source]:
    for line in text.splitlines():
        match = re.match(r"\s*deb\s+(?:\[([^\]]*)\]\s+)?(\S+)\s+(\S+)\s+([^#]+)", line)
        if match:
            options = dict(option.split("=", 1) for option in (match[1] or "").split() if "=" in option)
            yield match[2], [match[3]], match[4].split(), options.get("signed-by", "")


def _deb822(text: str) -> Iterator[_Source]:
    text = re.sub(r"^#.*\n?", "", text, flags=re.MULTILINE)
    for stanza in re.split(r"\n\s*\n", text):
        fields = {
            name.lower(): value.strip()
            for name, value in re.findall(r"^([\w-]+):((?:.*)(?:\n[ \t].*)*)", stanza, re.MULTILINE)
        }
        if "deb" in fields.get("types", "").split() and fields.get("enabled", "yes").lower() != "no":
            for uri in fields.get("uris", "").split():
                yield (
                    uri,
                    fields.get("suites", "").split(),
                    fields.get("components", "").split(),
                    fields.get("signed-by", ""),
                )


class Archive:
    """One suite of Debian, seen through an apt whose lists, cache and status are all below ``folder``."""

    def __init__(self, folder: Path, mirror: Mirror, suite: str) -> None:
        self.folder = folder
        self.suite = suite
        self._mirror = mirror

    def update(self) -> None:
        """Fetch the signed lists. PackagesUnreachable says why they cannot be had."""
        if shutil.which("apt-get") is None or shutil.which("dpkg-deb") is None:
            raise PackagesUnreachable("this machine has no apt-get")
        signed_by = self._mirror.signed_by or (str(KEYRING) if KEYRING.is_file() else "")
        if signed_by.startswith("/") and not Path(signed_by).is_file():
            raise PackagesUnreachable(f"{signed_by} is missing; install the package debian-archive-keyring")
        for name in ("state/lists/partial", "cache/archives/partial"):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        (self.folder / "status").write_text("")
        source = f"Types: deb\nURIs: {self._mirror.uri}\nSuites: {self.suite}\nComponents: main\n"
        if signed_by:
            source += f"Signed-By: {signed_by}\n"
        (self.folder / "archive.sources").write_text(source)
        self._run("apt-get", "update", "-q")

    def version(self, package: str) -> str:
        """The version on offer; empty if the suite has no such package."""
        policy = self._run("apt-cache", "policy", package)
        found = re.search(r"^\s*Candidate: (\S+)", policy, re.MULTILINE)
        return "" if found is None or found[1] == "(none)" else found[1]

    def depends(self, packages: Iterable[str]) -> set[str]:
        """The packages that these name in their Depends, every alternative counted."""
        only = ["--no-recommends", "--no-suggests", "--no-conflicts", "--no-breaks", "--no-replaces", "--no-enhances"]
        listing = self._run("apt-cache", "depends", *only, *sorted(packages))
        return set(re.findall(r"^\s*\|?(?:Pre)?Depends: ([^<\s]\S*)", listing, re.MULTILINE))

    def download(self, packages: Iterable[str], into: Path) -> None:
        """Put the .deb files into the folder; apt checks each against the signed lists."""
        into.mkdir(parents=True, exist_ok=True)
        self._run("apt-get", "download", "-q", *sorted(packages), cwd=into)

    def _run(self, program: str, *arguments: str, cwd: Path | None = None) -> str:
        folder = self.folder.absolute()
        settings = {
            "Dir::State": folder / "state",
            "Dir::State::status": folder / "status",
            "Dir::Cache": folder / "cache",
            "Dir::Cache::pkgcache": "pkgcache.bin",  # containers switch it off: a second more for every question
            "Dir::Cache::srcpkgcache": "srcpkgcache.bin",
            "Dir::Etc::sourcelist": folder / "archive.sources",
            "Dir::Etc::sourceparts": "/dev/null",
            "Dir::Etc::preferencesparts": "/dev/null",
            "APT::Sandbox::User": "",  # apt would drop to _apt, who may not write here
            "APT::Default-Release": "",
            "APT::Update::Error-Mode": "any",
            "Acquire::Languages": "none",
            "Acquire::Retries": "2",
        }
        options = [part for name, value in settings.items() for part in ("-o", f"{name}={value}")]
        done = subprocess.run(
            [program, *options, *arguments],
            cwd=cwd,
            env={**os.environ, "LC_ALL": "C"},
            capture_output=True,
            text=True,
        )
        if done.returncode:
            raise PackagesUnreachable(reason(done.stdout + done.stderr, self.suite))
        return done.stdout


def reason(said: str, suite: str) -> str:
    """The one sentence in what apt printed."""
    faults = [line.partition(":")[2].strip() for line in said.splitlines() if line.startswith(("E:", "Err:"))]
    fault = faults[0] if faults else said.strip()[-200:]
    if "No space left" in said:
        return "the disk is full"
    if _NO_NETWORK.search(said):
        return "the mirror named in the machine's apt sources does not answer; is there a network?"
    if _EXPIRED.search(said):
        return f"what the mirror says of Debian {suite} is out of date, or this machine's clock is wrong"
    if _NOT_SIGNED.search(said):
        return f"the signature of Debian {suite} cannot be checked; install the package debian-archive-keyring"
    return fault
