"""The switch does not run as root and must reach its files: the folder in the way is named, or avoided."""

from __future__ import annotations

import os

import pytest

from callcenter.errors import BadSettings
from config import home
from config.settings import load

SOMEBODY = (64999, 64999)


@pytest.fixture
def settings(tmp_path):
    tmp_path.chmod(0o755)
    return load(environ={"CALLCENTER_HOME": str(tmp_path / "checkout" / "var")})


def test_a_folder_closed_to_others_is_named(tmp_path):
    inner = tmp_path / "root" / "checkout" / "var"
    inner.mkdir(parents=True)
    owner = os.getuid(), os.getgid()
    assert home.closed(inner, *owner) is None
    (tmp_path / "root").chmod(0o700)
    assert home.closed(inner, *owner) is None
    for folder in (tmp_path, *tmp_path.parents):
        assert folder == folder.resolve()
    first = home.closed(inner, *SOMEBODY)
    assert first is not None
    assert first in (tmp_path / "root", *tmp_path.parents, tmp_path)


def test_what_is_open_by_group_is_not_closed(tmp_path):
    shut = tmp_path / "shut"
    shut.mkdir()
    shut.chmod(0o710)
    assert home.closed(shut, SOMEBODY[0], shut.stat().st_gid) != shut
    assert home.closed(shut, *SOMEBODY) is not None


def test_a_home_in_an_open_folder_is_a_folder(settings, monkeypatch):
    monkeypatch.setattr(home, "closed", lambda *_: None)
    assert home.lay(settings) == settings.home.resolve()
    assert settings.home.is_dir()
    assert not settings.home.is_symlink()


def test_a_home_in_a_closed_folder_is_laid_elsewhere_and_linked(settings, tmp_path, monkeypatch):
    monkeypatch.setattr(home, "ELSEWHERE", tmp_path / "lib")
    monkeypatch.setattr(home, "runs_as", lambda _: SOMEBODY)
    settings.home.parent.mkdir(mode=0o700)
    place = home.lay(settings)
    assert place.parent == tmp_path / "lib"
    assert settings.home.is_symlink()
    assert home.lay(settings) == place, "the second start finds it"
    (settings.home / "kept").touch()
    assert (place / "kept").exists()


def test_asterisk_is_never_started_as_root(settings, monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    owner = home.runs_as(settings)
    assert owner is not None
    assert owner[0] != 0
    for name in ("root", "no-such-user"):
        switch = settings.switch.model_copy(update={"user": name})
        with pytest.raises(BadSettings, match="Asterisk never runs as root"):
            home.runs_as(settings.model_copy(update={"switch": switch}))


def test_who_is_not_root_runs_it_himself(settings, monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert home.runs_as(settings) is None
