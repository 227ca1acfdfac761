"""What is put in place before anything runs: pinned, from wherever the machine is set up for, and whole."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
VENDOR = ROOT / "agent_desktop" / "static" / "vendor"


def test_the_locks_name_versions_and_no_addresses():
    npm = (ROOT / "package-lock.json").read_text()
    assert "://" not in npm
    assert '"resolved"' not in npm
    wanted = json.loads((ROOT / "package.json").read_text())
    locked = json.loads(npm)["packages"]
    for name, version in (wanted["dependencies"] | wanted["devDependencies"]).items():
        assert locked[f"node_modules/{name}"]["version"] == version
    for line in (ROOT / "requirements.lock").read_text().splitlines():
        assert line.startswith("#") or re.fullmatch(r"[A-Za-z0-9._-]+==[A-Za-z0-9.+!]+", line), line


def test_every_library_that_is_asked_for_is_locked():
    asked = re.findall(r"^    ([A-Za-z0-9_.-]+)(?:\[\w+\])?[><=]=", (ROOT / "setup.cfg").read_text(), re.MULTILINE)
    locked = {
        line.partition("==")[0].lower().replace("_", "-")
        for line in (ROOT / "requirements.lock").read_text().splitlines()
    }
    assert asked
    assert {name.lower().replace("_", "-") for name in asked} - locked == set()


def test_every_system_package_says_why():
    lines = [line for line in (ROOT / "setup/packages.txt").read_text().splitlines() if not line.startswith("#")]
    for line in lines:
        whom, package, sign, why = line.split(maxsplit=3)
        assert whom in ("run", "test")
        assert re.fullmatch(r"[a-z0-9][a-z0-9.+-]+", package)
        assert sign
        assert len(why.split()) > 2
    assert len(lines) == len({line.split()[1] for line in lines})


@pytest.mark.parametrize("name", ["jssip.js", "htmx.js", "wavesurfer.js", "uplot.js", "uplot.css"])
def test_a_bundled_file_is_what_was_bundled_and_has_its_licences(name):
    files = json.loads((VENDOR / "VENDOR.json").read_text())["files"]
    assert hashlib.sha256((VENDOR / name).read_bytes()).hexdigest() == files[name]["sha256"]
    for package in files[name]["packages"]:
        assert package["licence"]
        assert (VENDOR / package["text"]).stat().st_size > 200


@pytest.mark.parametrize("name", ["jssip.js", "htmx.js", "wavesurfer.js", "uplot.js"])
def test_a_bundled_script_is_one_module_that_loads_no_other(name):
    text = (VENDOR / name).read_text(encoding="utf-8")
    assert re.search(r"export\s*\{[^}]*\bas default\b[^}]*\}", text)
    assert not re.search(r"""(?:^|[;}])import\s*(?:[\w{*][^;]*from\s*)?["']""", text)
