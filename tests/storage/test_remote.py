"""Files on stores: named by addresses, written whole or not at all, and every error names the address."""

from __future__ import annotations

import pickle
from pathlib import Path

import fsspec
import pytest
from fsspec.implementations.memory import MemoryFileSystem
from fsspec.registry import known_implementations

from clairvoy.errors import FileError, SettingsError
from clairvoy.storage import remote


class Store(MemoryFileSystem):
    """In memory, with a name and contents of its own."""

    @classmethod
    def _strip_protocol(cls, path):
        return super()._strip_protocol(str(path).removeprefix(f"{cls.protocol}://"))


class Refusing(Store):
    """A store whose library raises what is no OSError, as botocore does."""

    protocol = "refusing"
    store, pseudo_dirs = {}, [""]

    def pipe_file(self, path, value, **_):
        raise RuntimeError("no credentials")


class Server(Store):
    """A server on which a file grows while it is written; `breaks` cuts the line in the middle."""

    protocol = "server"
    store, pseudo_dirs = {}, [""]
    breaks = False
    seen: list[str]

    def pipe_file(self, path, value, **_):
        self.seen.append(path)
        super().pipe_file(path, value[: len(value) // 2] if self.breaks else value)
        if self.breaks:
            raise ConnectionResetError("the line is cut")


@pytest.fixture(autouse=True, scope="module")
def stores():
    fsspec.register_implementation("refusing", Refusing, clobber=True)
    fsspec.register_implementation("server", Server, clobber=True)


@pytest.fixture
def store():
    memory = fsspec.filesystem("memory")
    yield "memory://bucket"
    if memory.exists("/bucket"):
        memory.rm("/bucket", recursive=True)


@pytest.mark.parametrize(
    ("name", "elsewhere"),
    [
        ("s3://bucket/a.jpg", True),
        ("memory://a", True),
        ("simplecache::s3://bucket/a.jpg", True),
        ("file:///tmp/a.jpg", False),
        ("local:///tmp/a.jpg", False),
        ("photos/a.jpg", False),
        ("C:\\photos\\a.jpg", False),
        ("-", False),
        (Path("s3://bucket/a.jpg"), False),
    ],
)
def test_what_is_an_address(name, elsewhere):
    assert remote.is_remote(name) is elsewhere


def test_an_address_of_this_machine_is_a_path():
    assert remote.place("file:///tmp/a%20b.jpg") == Path("/tmp/a%20b.jpg")
    assert isinstance(remote.place("local:///tmp/a.jpg"), Path)


def test_a_place_goes_to_other_processes(store):
    path = remote.place(f"{store}/in/a.jpg")
    assert pickle.loads(pickle.dumps(path)) == path
    assert str(path) == f"{store}/in/a.jpg"
    assert (path.suffix, path.stem, str(path.parent)) == (".jpg", "a", f"{store}/in")


def test_written_and_read_again(store):
    path = remote.place(f"{store}/deep/er/a.bin")
    remote.write_whole(path, b"first")
    remote.write_whole(path, b"second")
    assert remote.read_whole(path, 6) == b"second"
    with pytest.raises(FileError, match=f"{store}/deep/er/a.bin has 6 bytes, more than the 5"):
        remote.read_whole(path, 5)


def test_what_lies_below_a_folder(store):
    for name in ("b.jpg", "a.jpg", "deep/c.jpg", ".hidden.jpg", ".cache/d.jpg"):
        remote.write_whole(remote.place(f"{store}/in/{name}"), b"x")
    folder = remote.place(f"{store}/in/")
    assert [str(path) for path in remote.files_below(folder, recursive=False)] == [
        f"{store}/in/a.jpg", f"{store}/in/b.jpg",
    ]  # fmt: skip
    assert [path.name for path in remote.files_below(folder, recursive=True)] == ["a.jpg", "b.jpg", "c.jpg"]
    assert remote.is_folder(f"{store}/in")
    assert not remote.is_folder(f"{store}/in/a.jpg")


def test_a_folder_is_listed_once_however_many_files_are_asked_for(store, monkeypatch):
    remote.write_whole(remote.place(f"{store}/out/3.jpg"), b"x")
    asked = []
    listing = MemoryFileSystem.ls
    monkeypatch.setattr(
        MemoryFileSystem, "ls", lambda self, path, **k: asked.append(path) or listing(self, path, **k)
    )
    paths = [remote.place(f"{store}/out/{number}.jpg") for number in range(50)]
    assert remote.present(paths) == {paths[3]}
    assert asked == ["/bucket/out"]
    assert remote.present([remote.place(f"{store}/nowhere/a.jpg")]) == set()


def test_on_a_server_a_file_is_whole_when_it_gets_its_name(monkeypatch):
    monkeypatch.setattr(Server, "seen", [], raising=False)
    path = remote.place("server://host/out/a.bin")
    remote.write_whole(path, b"first")
    assert remote.read_whole(path, 100) == b"first"
    assert Server.seen[0].endswith(".part")
    monkeypatch.setattr(Server, "breaks", True)
    with pytest.raises(FileError, match=r"server:/+host/out/a.bin cannot be reached \(the line is cut\)"):
        remote.write_whole(path, b"second, and longer")
    assert [file.name for file in remote.files_below(path.parent, recursive=True)] == ["a.bin"]
    assert fsspec.filesystem("server").find("/host") == ["/host/out/a.bin"]
    assert remote.read_whole(path, 100) == b"first"


def test_a_file_that_is_made_here_is_sent_when_it_is_whole(store):
    path = remote.place(f"{store}/film.mkv")
    with remote.sent_to(path, ".mkv") as here:
        here.write_bytes(b"film")
        assert here.suffix == ".mkv"
        assert remote.present([path]) == set()
    assert remote.read_whole(path, 10) == b"film"
    assert not here.exists()


def test_a_file_that_fails_here_is_not_sent(store):
    path = remote.place(f"{store}/film.mkv")
    remote.write_whole(path, b"film")
    sending = remote.sent_to(path, ".mkv")
    sending.__enter__().write_bytes(b"half")
    assert not sending.__exit__(ZeroDivisionError, ZeroDivisionError(), None)  # it goes on being raised
    assert remote.read_whole(path, 10) == b"film"


def test_a_trial_leaves_nothing_behind(store, tmp_path):
    remote.check_writable([remote.place(f"{store}/out/{number}.jpg") for number in range(3)])
    assert fsspec.filesystem("memory").find("/bucket") == []
    remote.write_whole(remote.place(f"{store}/out/a.jpg"), b"x")
    with pytest.raises(FileError, match="is a folder; name a file in it"):
        remote.check_writable([remote.place(f"{store}/out")])


def test_each_kind_of_refusal_is_one_error(store):
    with pytest.raises(FileError, match=r"refusing:/+b/a.jpg cannot be reached \(no credentials\)"):
        remote.check_writable([remote.place("refusing://b/a.jpg")])
    with pytest.raises(FileError, match=f"{store}/none.jpg: there is no such file"):
        remote.read_whole(remote.place(f"{store}/none.jpg"), 10)
    with pytest.raises(FileError, match="nope://b/a cannot be reached"):
        remote.place("nope://b/a")


def test_a_package_that_is_missing_is_named(monkeypatch):
    monkeypatch.setitem(known_implementations, "lack", {"class": "lack.Lack", "err": "Install lackfs"})
    with pytest.raises(SettingsError, match=r"lack://b/a: .*need a package more: Install lackfs"):
        remote.place("lack://b/a")
    monkeypatch.setitem(__import__("sys").modules, "upath", None)
    with pytest.raises(SettingsError, match=r"pip install 'clairvoy\[remote\]'"):
        remote.place("s3://b/a")
