"""Settings: a misspelt key stops the start and is named; the environment wins; secrets come from files."""

from __future__ import annotations

import stat

import pytest

from callcenter.errors import BadSettings
from config.settings import load, secret


@pytest.fixture
def toml(tmp_path):
    def write(text):
        file = tmp_path / "callcenter.toml"
        file.write_text(text, encoding="utf-8")
        return file

    return write


def test_the_environment_wins_over_the_file(toml):
    file = toml("[switch]\nsip_port = 5060\n[centre]\nname = '潍坊柴油机服务热线'\n")
    settings = load(
        file, {"CALLCENTER_SWITCH__SIP_PORT": "5070", "CALLCENTER_SWITCH__TRUNK_HOSTS": "10.0.0.1, 10.0.0.2"}
    )
    assert settings.switch.sip_port == 5070
    assert settings.switch.trunk_hosts == ("10.0.0.1", "10.0.0.2")
    assert settings.centre.name == "潍坊柴油机服务热线"


@pytest.mark.parametrize(
    ("text", "environ", "said"),
    [
        ("[switch]\nprot = 1\n", {}, r"\[switch\] has no setting prot"),
        ("", {"CALLCENTER_SWICH__PORT": "1"}, "there is no setting swich"),
        ("[switch]\nsip_port = 'many'\n", {}, r"\[switch\] sip_port: .*integer"),
        ("[centre]\ntimezone = 'Asia/Peking'\n", {}, r"no time zone is called 'Asia/Peking'"),
        ("[switch]\nsip_port = 70000\n", {}, r"\[switch\] sip_port: .*65535"),
        ("[switch]\nrtp_start = 30000\nrtp_end = 20000\n", {}, "rtp_end 20000 is below rtp_start 30000"),
        ("[database]\nurl = 'mysql://root@db/calls'\n", {}, r"\[database\] url: .*postgresql://"),
        ("", {"CALLCENTER_DATABASE__URL": "callcenter.db"}, r"\[database\] url: .*sqlite:///"),
        ("[switch\n", {}, "callcenter.toml"),
        ("", {"CALLCENTER_SWITCH__AMI_SECRET_FILE": "/nowhere/ami"}, "CALLCENTER_SWITCH__AMI_SECRET_FILE"),
    ],
)
def test_what_cannot_be_used_is_named(toml, text, environ, said):
    with pytest.raises(BadSettings, match=said):
        load(toml(text), environ)


def test_postgresql_is_spoken_to_by_the_driver_we_have(toml):
    for said in ("postgres", "postgresql", "postgresql+psycopg"):
        assert (
            load(toml(f"[database]\nurl = '{said}://db/calls'\n"), {}).database_url == "postgresql+psycopg://db/calls"
        )


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(BadSettings, match="there is no file"):
        load(tmp_path / "none.toml", {})


def test_a_secret_may_come_from_a_file(toml, tmp_path):
    (tmp_path / "ami").write_text("s3cret\n")
    assert load(toml(""), {"CALLCENTER_SWITCH__AMI_SECRET_FILE": str(tmp_path / "ami")}).ami_secret == "s3cret"


def test_a_generated_secret_stays_and_is_the_owners_only(tmp_path):
    first = secret(tmp_path, "ami")
    assert len(first) >= 32
    assert secret(tmp_path, "ami") == first != secret(tmp_path, "sip")
    assert stat.S_IMODE((tmp_path / "secrets" / "ami").stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "secrets").stat().st_mode) == 0o700
