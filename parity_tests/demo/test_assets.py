"""Pinned downloads: what is reused, what is refused, and what a user is told."""

import shutil
import subprocess
import zipfile
from types import SimpleNamespace

import pytest

from port.demo import assets
from port.errors import PortError
from port.files import sha256_file

CONTENT = b"one pinned member"


@pytest.fixture
def small(tmp_path, monkeypatch):
    """A cache of its own, and one small pinned wheel `toy`, which exists beside the cache."""
    source = tmp_path / "source.zip"
    with zipfile.ZipFile(source, "w") as archive:
        archive.writestr("toy/data.bin", CONTENT)
    (tmp_path / "data.bin").write_bytes(CONTENT)
    pin = assets.Wheel(version="1.0", file="toy-1.0-py3-none-any.whl", sha256=sha256_file(source), licence="none")
    held = assets.Member("toy", "toy/data.bin", len(CONTENT), sha256_file(tmp_path / "data.bin"))
    monkeypatch.setattr(assets, "WHEELS", {"toy": pin})
    monkeypatch.setattr(assets, "MEMBERS", {"data": held})
    monkeypatch.setenv("PORT_CACHE", str(tmp_path / "cache"))
    return SimpleNamespace(source=source, pin=pin, stored=tmp_path / "cache" / "wheels" / pin.file, path=tmp_path)


def pretend_pip(monkeypatch, deliver=None, stderr="", code=0):
    """Replace pip by a function that puts `deliver` into --dest; -> the list of its command lines."""
    calls = []

    def run(command, **options):
        calls.append(command)
        if deliver is not None:
            target = command[command.index("--dest") + 1]
            shutil.copy(deliver, f"{target}/{assets.WHEELS['toy'].file}")
        return SimpleNamespace(returncode=code, stderr=stderr)

    monkeypatch.setattr(subprocess, "run", run)
    return calls


def test_fetched_once_then_reused(small, monkeypatch):
    calls = pretend_pip(monkeypatch, small.source)
    assert assets.wheel("toy") == small.stored
    assert assets.wheel("toy") == small.stored
    assert len(calls) == 1
    assert {"--no-deps", "--require-hashes", "--only-binary=:all:"} <= set(calls[0])
    assert [p.name for p in small.stored.parent.iterdir()] == [small.pin.file]


def test_requirements_name_the_pinned_hash(small, monkeypatch):
    seen = []

    def run(command, **options):
        with open(command[command.index("-r") + 1]) as requirements:
            seen.append(requirements.read())
        return SimpleNamespace(returncode=1, stderr="ERROR: stop")

    monkeypatch.setattr(subprocess, "run", run)
    with pytest.raises(PortError):
        assets.wheel("toy")
    assert seen == [f"toy==1.0 --hash=sha256:{small.pin.sha256}\n"]


def test_a_wrong_file_in_the_cache_is_replaced(small, monkeypatch):
    small.stored.parent.mkdir(parents=True)
    small.stored.write_bytes(b"something else")
    pretend_pip(monkeypatch, small.source)
    assert sha256_file(assets.wheel("toy")) == small.pin.sha256


def test_a_wrong_download_is_refused(small, monkeypatch):
    pretend_pip(monkeypatch, small.path / "data.bin")
    with pytest.raises(PortError, match=r"could not fetch toy 1\.0 .*another sha256 than pinned"):
        assets.wheel("toy")
    assert not small.stored.exists()


def test_a_failing_pip_says_what_to_do_offline(small, monkeypatch):
    pretend_pip(monkeypatch, stderr="WARNING: retrying\nERROR: No matching distribution found\n", code=1)
    with pytest.raises(PortError) as caught:
        assets.wheel("toy")
    message = str(caught.value)
    assert message.startswith("could not fetch toy 1.0 from the package index: ERROR: No matching distribution found.")
    assert f"put {small.pin.file} (sha256 {small.pin.sha256}) into {small.stored.parent}" in message


def test_a_silent_pip_is_given_up(small, monkeypatch):
    def run(command, **options):
        raise subprocess.TimeoutExpired(command, options["timeout"])

    monkeypatch.setattr(subprocess, "run", run)
    with pytest.raises(PortError, match=r"could not fetch toy 1\.0 .*no answer within 900 s"):
        assets.wheel("toy")


def test_member_is_copied_and_reused(small, monkeypatch):
    calls = pretend_pip(monkeypatch, small.source)
    target = small.path / "out.bin"
    assert assets.member("data", target).read_bytes() == CONTENT
    small.stored.unlink()
    assets.member("data", target)
    assert len(calls) == 1
    target.write_bytes(b"changed")
    assert assets.member("data", target).read_bytes() == CONTENT


@pytest.mark.parametrize("content", [b"", b"another pinned mem", CONTENT + b"!" * 5_000_000])
def test_a_member_that_is_not_the_pinned_one_is_refused(small, monkeypatch, content):
    with zipfile.ZipFile(small.source, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("toy/data.bin", content)
    monkeypatch.setattr(assets, "wheel", lambda name: small.source)
    with pytest.raises(PortError, match=r"toy/data\.bin in .* is not the pinned file"):
        assets.member("data", small.path / "out.bin")
    assert not (small.path / "out.bin").exists()


def test_a_wheel_without_the_member_is_refused(small, monkeypatch):
    monkeypatch.setattr(assets, "wheel", lambda name: small.source)
    for spoil in (lambda: zipfile.ZipFile(small.source, "w").close(), lambda: small.source.write_bytes(b"no zip")):
        spoil()
        with pytest.raises(PortError, match=r"holds no readable toy/data\.bin"):
            assets.member("data", small.path / "out.bin")


def test_cache_folder(monkeypatch):
    monkeypatch.delenv("PORT_CACHE", raising=False)
    assert assets.cache_folder() == assets.REPO / ".cache"
    assert (assets.REPO / "port" / "demo").is_dir()
    monkeypatch.setenv("PORT_CACHE", "/somewhere")
    assert str(assets.cache_folder()) == "/somewhere"


def test_the_real_pins_hold():
    """The one test that may download: 73 MB, only where `make demo` has not run."""
    for name, pin in assets.WHEELS.items():
        assert sha256_file(assets.wheel(name)) == pin.sha256
    for pin in assets.MEMBERS.values():
        with zipfile.ZipFile(assets.wheel(pin.wheel)) as archive:
            assert archive.getinfo(pin.path).file_size == pin.size
