"""Settings: which source wins, and what is refused in which words."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from gateway.errors import InvalidRequest
from gateway.host import Host
from gateway.registry import Registry
from gateway.registry import load as load_registry
from gateway.serve import backends_of, main
from gateway.settings import PRESETS, ConfigError, Settings, load
from gateway.testing import FakeBackend
from gateway.wishes import Wishes

STRATEGIES = load_registry("strategy", "strategies", "its_gateway.strategies")
VERIFIERS = load_registry("verifier", "verifiers", "its_gateway.verifiers")

Write = Callable[[str], str]


@pytest.fixture(autouse=True)
def _own_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """No variable of the shell is read, and settings that pass for good are not served."""
    monkeypatch.setattr("gateway.serve.serve", lambda host: None)
    monkeypatch.setattr("gateway.serve.uvloop.run", lambda served: 0)
    monkeypatch.setattr("gateway.serve.configure_logging", lambda level: None)
    for name in list(os.environ):
        if name.startswith("ITS_"):
            monkeypatch.delenv(name)


@pytest.fixture
def toml(tmp_path: Path) -> Write:
    """Writes a configuration file and gives the flag that names it."""

    def write(text: str) -> str:
        path = tmp_path / "its.toml"
        path.write_text(text)
        return f"--config={path}"

    return write


def _host(settings: Settings, *, strategies: Registry = STRATEGIES) -> Host:
    return Host.build(settings, [FakeBackend(lambda s, n: "")], strategies, VERIFIERS)


# Which source wins.


def test_flag_before_environment_before_file_before_default(
    toml: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert load([]).port == 8000
    config = toml('port = 8001\nlog_level = "debug"\nmax_body_bytes = 5000')
    assert load([config]).port == 8001
    monkeypatch.setenv("ITS_PORT", "8002")
    assert load([config]).port == 8002
    assert load([config, "--port=8003"]).port == 8003
    assert load([config]).log_level == "debug"
    assert load([config]).max_body_bytes == 5000
    assert load([config]).host == "127.0.0.1"


def test_the_environment_names_the_file(toml: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ITS_CONFIG", toml("port = 8001").removeprefix("--config="))
    assert load([]).port == 8001


def test_nested_settings_come_from_file_and_environment(
    toml: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = toml(
        '[caps]\nsamples = 16\n[roles]\njudge = "j"\n[prices."m"]\nprompt = 1.0\n'
        '[default]\nstrategy = "direct"'
    )
    settings = load([config])
    assert settings.caps.samples == 16
    assert settings.roles.assigned() == {"judge": "j"}
    assert settings.prices["m"].prompt == 1.0
    assert settings.default == Wishes(strategy="direct")
    monkeypatch.setenv("ITS_CAPS__SAMPLES", "4")
    assert load([config]).caps.samples == 4


# Upstreams.


def test_a_repeated_backend_and_a_list_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    flags = ["--backend=http://a:1", "--backend", "http://b:2/v1"]
    assert [each.base for each in load(flags).upstreams()] == ["http://a:1", "http://b:2"]
    monkeypatch.setenv("ITS_BACKEND", "http://c:3, http://d:4/v1/")
    assert [each.base for each in load([]).upstreams()] == ["http://c:3", "http://d:4"]
    assert [each.base for each in load(flags).upstreams()] == ["http://a:1", "http://b:2"]


@pytest.mark.parametrize(
    ("url", "base"),
    [
        ("http://a:1", "http://a:1"),
        ("http://a:1/", "http://a:1"),
        ("http://a:1/v1", "http://a:1"),
        ("http://a:1/v1/", "http://a:1"),
        ("https://a/models/v1", "https://a/models"),
        ("https://a/v1x", "https://a/v1x"),
    ],
)
def test_the_base_is_without_v1(url: str, base: str) -> None:
    [upstream] = load([f"--backend={url}"]).upstreams()
    assert upstream.base == base


def test_keys_of_backends_from_flag_environment_and_file(
    toml: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "key").write_text("from-file\n")
    config = toml(
        '[[backends]]\nurl = "http://a:1"\nkey_env = "A_KEY"\n'
        f'[[backends]]\nurl = "http://b:1"\nkey_file = "{tmp_path / "key"}"\n'
        '[[backends]]\nurl = "http://c:1"\nkey = "in-place"\n'
        '[[backends]]\nurl = "http://d:1"\n'
    )
    monkeypatch.setenv("A_KEY", "from-env")
    monkeypatch.setenv("ITS_BACKEND_KEY", "of-flags")
    settings = load([config, "--backend=http://z:1"])
    keys = [each.secret() for each in settings.upstreams()]
    assert keys == ["of-flags", "from-env", "from-file", "in-place", None]
    assert len(backends_of(settings)) == 5


@pytest.mark.parametrize(
    ("line", "words"),
    [('key_env = "A_KEY"', "backends.key_env: A_KEY"), ('key_file = "/no"', "backends.key_file")],
)
def test_a_promised_key_that_is_not_there(toml: Write, line: str, words: str) -> None:
    settings = load([toml(f'[[backends]]\nurl = "http://a:1"\n{line}')])
    with pytest.raises(ConfigError, match=words):
        backends_of(settings)


def test_two_backends_of_one_name_are_refused(toml: Write) -> None:
    one = '[[backends]]\nurl = "http://a:1"\nname = "x"\n'
    with pytest.raises(ConfigError, match=r"backends\.name"):
        backends_of(load([toml(one * 2)]))


# What is refused: the setting is named, and nothing is a traceback.

BAD_FILES = [
    ("prot = 8000", "prot"),
    ('port = "many"', "port"),
    ("port = 70000", "port"),
    ("log_level = 3", "log_level"),
    ("drain_seconds = -1", "drain_seconds"),
    ('backend = ["nonsense"]', "backend"),
    ('[[backends]]\nurl = "nonsense"', "backends.0.url"),
    ('[[backends]]\nurl = "http://a:1"\nkee = "x"', "backends.0.kee"),
    ('[caps]\nsamples = "many"', "caps.samples"),
    ("[caps]\nsample = 3", "caps"),
    ("[roles]\njugde = 'x'", "roles.jugde"),
    ("[presets.mine]\nbudget = 0", "presets.mine.budget"),
    ("[presets.mine]\nbugdet = 4", "presets.mine.bugdet"),
    ('[presets.mine]\nstrategy = "nope"', "presets.mine"),
    ('[presets.mine]\nstrategy = "best_of_n"\nverifier = "nope"', "presets.mine"),
    ('[presets.mine]\nstrategy = "best_of_n"\nparams = {n = 0}', "presets.mine"),
    ('[presets.mine]\nstrategy = "direct"\nparams = {n = 3}', "presets.mine"),
    ('[presets.mine]\nstrategy = "best_of_n"\nbudget = 4\n[caps]\nsamples = 2', "presets.mine"),
    ('[default]\nstrategy = "nope"', "default"),
    ('[default]\nverifier = "nope"', "default"),
    ("port = ", "config"),
]


@pytest.mark.parametrize(("text", "name"), BAD_FILES)
def test_a_bad_file_is_refused_by_name(
    toml: Write, capsys: pytest.CaptureFixture[str], text: str, name: str
) -> None:
    assert main([toml(text)]) == 2
    said = capsys.readouterr().err
    assert said.startswith(f"its-gateway: {name}")
    assert len(said.splitlines()) == 1


@pytest.mark.parametrize(
    ("flags", "name"),
    [
        (["--port=many"], "port"),
        (["--port=70000"], "port"),
        (["--port=-1"], "port"),
        (["--log-level=loud"], "log_level"),
        (["--max-body-bytes=1"], "max_body_bytes"),
        (["--backend=nonsense"], "backend"),
        (["--backend=ftp://a:1"], "backend"),
        (["--config=/no/such/file"], "config"),
        (["--api-keys-file=/no/such/file"], "api_keys_file"),
    ],
)
def test_a_bad_flag_is_refused_by_name(
    capsys: pytest.CaptureFixture[str], flags: list[str], name: str
) -> None:
    assert main(flags) == 2
    said = capsys.readouterr().err
    assert said.startswith(f"its-gateway: {name}")
    assert "Traceback" not in said


def test_an_unknown_flag_is_refused_by_name(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["--prot=8000"])
    assert caught.value.code == 2
    assert "--prot" in capsys.readouterr().err


def test_a_bad_environment_is_refused_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ITS_PORT", "many")
    with pytest.raises(ConfigError, match="port"):
        load([])
    monkeypatch.delenv("ITS_PORT")
    monkeypatch.setenv("ITS_PRESETS", "{")
    with pytest.raises(ConfigError, match="presets"):
        load([])


# Who may reach it.


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.0.0.1", "gateway.example"])
def test_listening_beyond_loopback_needs_keys_or_insecure(host: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"host: .*--api-key.*--insecure"):
        load([f"--host={host}"])
    assert load([f"--host={host}", "--insecure"]).host == host
    assert load([f"--host={host}", "--api-key=k"]).host == host
    keys = tmp_path / "keys"
    keys.write_text("# team a\nk1\n\n k2 \n")
    assert load([f"--host={host}", f"--api-keys-file={keys}"]).client_keys() == {"k1", "k2"}
    keys.write_text("# none left\n")
    with pytest.raises(ConfigError, match="host"):
        load([f"--host={host}", f"--api-keys-file={keys}"])


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1.2.3", "::1", "localhost"])
def test_loopback_needs_no_keys(host: str) -> None:
    assert load([f"--host={host}"]).client_keys() == frozenset()


def test_client_keys_are_repeated_or_listed(monkeypatch: pytest.MonkeyPatch) -> None:
    assert load(["--api-key=a", "--api-key=b"]).client_keys() == {"a", "b"}
    monkeypatch.setenv("ITS_API_KEY", "c,d")
    assert load([]).client_keys() == {"c", "d"}


# Presets.


def test_presets_of_the_file_join_and_replace_those_of_the_gateway(toml: Write) -> None:
    config = toml(
        '[presets.mine]\nstrategy = "best_of_n"\nbudget = 3\nverifier = "math;seconds=1"\n'
        '[presets.agreement-4]\nstrategy = "direct"\n[presets.slow]\ndeadline_ms = 5000'
    )
    host = _host(load([config]))
    assert set(host.rules.presets) == {*PRESETS, "mine", "slow"}
    policy = host.rules.resolve({}, Wishes(), "mine")
    assert policy.params["n"] == 3
    assert policy.params["verifier"] == "math;seconds=1"
    assert host.rules.resolve({}, Wishes(), "agreement-4").strategy.name == "direct"


def test_a_refused_preset_says_what_is_allowed(toml: Write) -> None:
    settings = load([toml('[presets.mine]\nstrategy = "nope"')])
    with pytest.raises(
        ConfigError, match=r"presets\.mine: .*'nope'; allowed: .*best_of_n, .*direct"
    ):
        _host(settings)


def test_a_preset_of_the_gateway_goes_with_its_strategy() -> None:
    host = _host(Settings(), strategies=Registry("strategy", [STRATEGIES["direct"]]))
    assert host.rules.presets == {}
    with pytest.raises(InvalidRequest, match="unknown strategy or preset 'agreement-4'"):
        host.rules.resolve({}, Wishes(), "agreement-4")


# Secrets.


def test_secrets_are_not_shown(toml: Write) -> None:
    config = toml('[[backends]]\nurl = "http://a:1"\nkey = "sk-in-file"')
    settings = load(
        [config, "--api-key=sk-client", "--backend-key=sk-flag", "--redis=redis://:sk-pw@h"]
    )
    shown = repr(settings) + str(settings) + repr(settings.upstreams())
    assert "sk-" not in shown
    assert settings.client_keys() == {"sk-client"}
    assert [each.secret() for each in settings.upstreams()] == ["sk-in-file"]


def test_a_refusal_does_not_show_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ITS_API_KEY", "sk-client")
    monkeypatch.setenv("ITS_BACKEND_KEY", "sk-backend")
    monkeypatch.setenv("ITS_BACKENDS", '[{"url": "x", "key": "sk-in-place"}]')
    with pytest.raises(ConfigError) as caught:
        load(["--port=many"])
    assert "sk-" not in str(caught.value)


async def test_hosts_keep_only_digests_of_keys() -> None:
    host = _host(load(["--api-key=sk-client"]))
    assert "sk-client" not in repr(host)
    await host.keyring.identify({"authorization": "Bearer sk-client"})
