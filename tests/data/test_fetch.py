"""Files of known names: looked for in the right place, fetched whole, verified."""

import dataclasses
import hashlib
import http.server
import threading
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pooch
import pytest

from tests.data.arrays import save_npz, sound_arrays
from zonas_edge.data import catalogue
from zonas_edge.data.catalogue import KnownSet, RemoteFile
from zonas_edge.data.load import fetch, load_dataset
from zonas_edge.errors import DatasetError, UsageError


class Quiet(http.server.SimpleHTTPRequestHandler):
    """A file server without a log."""

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name
        pass


@pytest.fixture
def server(tmp_path: Path) -> Iterator[tuple[Path, str]]:
    """A folder and the address under which it is served."""
    folder = tmp_path / "served"
    folder.mkdir()
    handler = partial(Quiet, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as running:
        thread = threading.Thread(target=running.serve_forever, args=(0.01,))
        thread.start()
        yield folder, f"http://127.0.0.1:{running.server_address[1]}"
        running.shutdown()
        thread.join()


@pytest.fixture
def offer(
    server: tuple[Path, str], monkeypatch: pytest.MonkeyPatch
) -> Callable[..., RemoteFile]:
    """Serve small arrays as breastmnist, under their own checksum or a given one."""
    folder, address = server

    def offered(md5: str | None = None, path: str = "breast.npz") -> RemoteFile:
        file = save_npz(folder / "breast.npz", sound_arrays())
        digest = hashlib.md5(file.read_bytes(), usedforsecurity=False).hexdigest()
        remote = RemoteFile(f"{address}/{path}", md5 or digest)
        known = dict(catalogue.catalogue())
        breast = dataclasses.replace(known["breastmnist"], files={28: remote})
        sets: dict[str, KnownSet] = known | {"breastmnist": breast}
        monkeypatch.setattr(catalogue, "catalogue", lambda: sets)
        return remote

    return offered


def test_a_missing_file_is_not_fetched_offline(
    home: Path, tmp_path: Path, offer: Callable[..., RemoteFile]
) -> None:
    offer()
    for folder, given in ((home / ".medmnist", None), (tmp_path, tmp_path)):
        with pytest.raises(DatasetError) as caught:
            load_dataset("breastmnist", data_dir=given, offline=True)
        assert str(caught.value) == (
            f"breastmnist: no breastmnist.npz in {folder},"
            " and fetching is off (offline)"
        )
        place = "" if given is None else f" --data-dir {given}"
        assert caught.value.hint == (
            f"zonas-edge datasets fetch breastmnist{place}, or put the file there"
        )
    assert not (home / ".medmnist").exists()


def test_a_missing_file_is_fetched_once_and_quietly(
    home: Path,
    server: tuple[Path, str],
    offer: Callable[..., RemoteFile],
    capfd: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Pooch's own handler writes to the stderr of before the capture: ask its log."""
    pooch.get_logger().addHandler(caplog.handler)
    offer()
    dataset = load_dataset("breastmnist")
    assert (dataset.source, dataset.folder) == ("breastmnist", str(home / ".medmnist"))
    assert [file.name for file in (home / ".medmnist").iterdir()] == ["breastmnist.npz"]
    (server[0] / "breast.npz").unlink()
    assert load_dataset("breastmnist").sha256 == dataset.sha256
    pooch.get_logger().removeHandler(caplog.handler)
    assert caplog.messages == []
    assert capfd.readouterr() == ("", "")


def test_data_dir_goes_before_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, offer: Callable[..., RemoteFile]
) -> None:
    offer()
    given, named = tmp_path / "given", tmp_path / "named"
    given.mkdir()
    named.mkdir()
    monkeypatch.setenv("ZONAS_EDGE_DATA", str(named))
    assert fetch("breastmnist") == named / "breastmnist.npz"
    assert fetch("breastmnist", data_dir=given) == given / "breastmnist.npz"


def test_a_wrong_download_is_refused_and_leaves_nothing(
    home: Path, offer: Callable[..., RemoteFile]
) -> None:
    remote = offer(md5="0" * 32)
    with pytest.raises(DatasetError) as caught:
        fetch("breastmnist")
    assert str(caught.value) == (
        f"breastmnist: {remote.url} doesn't give the file with MD5 {remote.md5}"
    )
    assert list((home / ".medmnist").iterdir()) == []


def test_a_failed_download_is_one_clear_error(
    home: Path, offer: Callable[..., RemoteFile]
) -> None:
    remote = offer(path="gone.npz")
    with pytest.raises(DatasetError) as caught:
        fetch("breastmnist")
    assert str(caught.value) == (
        f"breastmnist: can't be fetched from {remote.url}: the server answers 404"
    )
    assert caught.value.hint == (
        f"check the network, or put breastmnist.npz in {home / '.medmnist'}"
    )
    assert list((home / ".medmnist").iterdir()) == []


def test_no_network_is_one_clear_error(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Port 9 of this machine, where nobody listens."""
    remote = RemoteFile("http://127.0.0.1:9/x.npz", "0" * 32)
    known = catalogue.catalogue()["breastmnist"]
    sets = {"breastmnist": dataclasses.replace(known, files={28: remote})}
    monkeypatch.setattr(catalogue, "catalogue", lambda: sets)
    with pytest.raises(DatasetError) as caught:
        fetch("breastmnist")
    assert str(caught.value) == (
        "breastmnist: can't be fetched from http://127.0.0.1:9/x.npz: no connection"
    )
    assert list((home / ".medmnist").iterdir()) == []


def test_another_file_under_a_known_name_is_refused_and_left_in_place(
    tmp_path: Path, offer: Callable[..., RemoteFile]
) -> None:
    """Offline as well as online: nothing of the user's is overwritten."""
    remote = offer()
    file = tmp_path / "breastmnist.npz"
    file.write_bytes(b"mine")
    for offline in (False, True):
        with pytest.raises(DatasetError) as caught:
            load_dataset("breastmnist", data_dir=tmp_path, offline=offline)
        assert str(caught.value) == (
            f"{file}: MD5 is 918b81db5e91d031548b963c93845e5b,"
            f" breastmnist has {remote.md5}"
        )
        assert caught.value.hint == (
            "delete the file, then: zonas-edge datasets fetch breastmnist"
            f" --data-dir {tmp_path}"
        )
    assert file.read_bytes() == b"mine"


def test_a_folder_that_cannot_be_made_is_refused(
    home: Path, offer: Callable[..., RemoteFile]
) -> None:
    offer()
    (home / ".medmnist").write_text("in the way")
    with pytest.raises(DatasetError) as caught:
        fetch("breastmnist")
    assert str(caught.value) == f"{home / '.medmnist'}: can't be made: file exists"


def test_digits_have_nothing_to_fetch() -> None:
    with pytest.raises(UsageError) as caught:
        fetch("digits")
    assert str(caught.value) == (
        "digits: comes with scikit-learn, there is nothing to fetch"
    )
