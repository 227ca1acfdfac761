"""Where the switch comes from: the machine's own mirror, and libraries found by what the programs ask for."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from config import archive, elf, obtain
from config.settings import Settings, Switch

DEBIAN = 'ID=debian\nVERSION_CODENAME=bookworm\nPRETTY_NAME="Debian GNU/Linux 12"\n'

DEB822 = """\
# the machine's own
Types: deb deb-src
URIs: http://mirror.example/debian/
Suites: bookworm bookworm-updates
Components: main contrib
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

Types: deb
URIs: http://mirror.example/debian-security
Suites: bookworm-security
Components: main

Types: deb
URIs: http://tools.example/node
Suites: nodistro
Components: main

Types: deb
URIs: http://off.example/debian
Suites: bookworm
Components: main
Enabled: no
"""

ONE_LINE = """\
deb [arch=amd64 signed-by=/etc/keys/ours.gpg] http://inside.example/debian bookworm main contrib  # ours
deb-src http://source.example/debian bookworm main
#deb http://old.example/debian bookworm main
deb http://browser.example/linux stable contrib
deb http://mirror.example/debian-security bookworm-security main
"""


def machine(folder: Path, release: str = DEBIAN, **sources: str) -> tuple[Path, Path]:
    (folder / "sources.list.d").mkdir()
    for name, text in sources.items():
        (folder / "sources.list.d" / name.replace("__", ".")).write_text(text)
    (folder / "os-release").write_text(release)
    return folder, folder / "os-release"


def test_the_mirror_is_the_one_the_machine_names(tmp_path):
    found = archive.mirrors(*machine(tmp_path, debian__sources=DEB822))
    assert found == [
        archive.Mirror("http://mirror.example/debian", "/usr/share/keyrings/debian-archive-keyring.gpg"),
    ]


def test_one_line_sources_are_read_too(tmp_path):
    found = archive.mirrors(*machine(tmp_path, debian__list=ONE_LINE))
    assert found == [archive.Mirror("http://inside.example/debian", "/etc/keys/ours.gpg")]


def test_a_key_written_into_the_source_is_kept_whole(tmp_path):
    key = "-----BEGIN PGP PUBLIC KEY BLOCK-----\n .\n mQIN\n -----END PGP PUBLIC KEY BLOCK-----"
    text = f"Types: deb\nURIs: http://a.example/debian\nSuites: sid\nComponents: main\nSigned-By:\n {key}\n"
    (found,) = archive.mirrors(*machine(tmp_path, debian__sources=text))
    assert found.signed_by.splitlines()[-1] == " -----END PGP PUBLIC KEY BLOCK-----"


def test_another_distribution_has_no_debian_mirror(tmp_path):
    assert archive.mirrors(*machine(tmp_path, "ID=ubuntu\nVERSION_CODENAME=noble\n", ubuntu__sources=DEB822)) == []


@pytest.mark.parametrize(
    ("soname", "package"),
    [
        ("libxml2.so.16", "libxml2-16"),
        ("libedit.so.2", "libedit2"),
        ("libssl.so.3", "libssl3t64"),
        ("libz.so.1", "zlib1g"),
        ("libstdc++.so.6", "libstdc++6"),
        ("libsrtp2.so.1", "libsrtp2-1"),
        ("libgcc_s.so.1", "libgcc-s1"),
        ("libxslt.so.1", "libxslt1.1"),
    ],
)
def test_a_library_is_looked_for_in_the_package_that_sounds_like_it(soname, package):
    offered = {
        "libxml2-16", "libedit2", "libssl3t64", "zlib1g", "libstdc++6", "libsrtp2-1", "libgcc-s1", "libxslt1.1",
        "libsqlite3-0", "adduser", "libpq5", "libjansson4",
    }  # fmt: skip
    assert obtain.providers({soname}, offered) == {package}


def test_packages_named_by_rule_go_before_guesses():
    """libcrypto comes with libssl; no other package is fetched for it before that one has been looked into."""
    assert obtain.providers({"libssl.so.3", "libcrypto.so.3"}, {"libssl3t64", "libcrypt1"}) == {"libssl3t64"}


def test_a_program_says_which_libraries_it_needs(tmp_path):
    assert any(name.startswith("libc.so") for name in elf.needed(Path(sys.executable).resolve()))
    text = tmp_path / "text"
    text.write_text("#!/bin/sh\n")
    assert elf.needed(text) == []


def test_a_switch_that_is_there_is_not_fetched_again(tmp_path):
    root = tmp_path / "asterisk"
    root.mkdir()
    (root / "obtained.json").write_text(json.dumps({"version": "22.10.1", "suite": "testing"}))
    assert obtain.obtain(Settings(home=tmp_path)) == f"Asterisk 22.10.1 in {root}"


def test_a_named_switch_that_is_too_old_is_refused(tmp_path):
    old = tmp_path / "asterisk"
    old.write_text("#!/bin/sh\necho Asterisk 18.10.0\n")
    old.chmod(0o755)
    settings = Settings(home=tmp_path, switch=Switch(asterisk=str(old)))
    with pytest.raises(obtain.SwitchNotObtained, match=r"version 18\.10\.0; 20 or later"):
        obtain.obtain(settings)


def test_a_named_switch_that_is_not_there_is_said_so(tmp_path):
    settings = Settings(home=tmp_path, switch=Switch(asterisk="/nowhere/asterisk"))
    with pytest.raises(obtain.SwitchNotObtained, match="does not run"):
        obtain.obtain(settings)


@pytest.mark.parametrize(
    ("said", "sentence"),
    [
        ("Err:1 http://m.example/debian testing InRelease\n  Temporary failure resolving 'm.example'", "network"),
        ("W: GPG error: testing InRelease: The following signatures couldn't be verified: NO_PUBKEY 0E98", "signature"),
        ("E: Release file for http://m.example/InRelease is expired (invalid since 15d 20h).", "clock is wrong"),
        ("E: Write error - write (28: No space left on device)", "disk is full"),
        ("E: Unable to locate package asterisk", "Unable to locate package asterisk"),
    ],
)
def test_what_apt_says_becomes_one_sentence(said, sentence):
    assert sentence in archive.reason(said, "testing")
