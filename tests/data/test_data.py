"""Datasets: what is found, what is refused, what a mirror may do, and the order of an epoch."""

import gzip
import hashlib
import http.server
import io
import os
import ssl
import subprocess
import sys
import threading
import time
import tracemalloc
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from minisgd.data import (
    FILES,
    DataError,
    Known,
    MissingError,
    Split,
    describe,
    download,
    epoch_order,
    glyphs,
    idx,
    import_files,
    load_dataset,
    read_idx,
    split_validation,
    status,
    write_idx,
)
from minisgd.data import datasets as data
from minisgd.data.download import Patience
from minisgd.disk.files import StorageError
from minisgd.errors import SettingError

IMPATIENT = Patience(answer=0.5, silence=0.2, tries=2, pause=0.01, most=1 << 20)


def arrays(seed, train=20, test=10):
    rng = np.random.default_rng(seed)
    made = []
    for N in (train, test):
        made.append(rng.integers(0, 256, (N, 28, 28), dtype=np.uint8))
        made.append((np.arange(N) % 10).astype(np.uint8))
    return made


def unpacked(array):
    shape = b"".join(size.to_bytes(4, "big") for size in array.shape)
    return bytes([0, 0, 8, array.ndim]) + shape + array.tobytes()


def digests(made):
    return tuple(hashlib.sha256(unpacked(array)).hexdigest() for array in made)


def put(folder, made, ending=".gz"):
    folder.mkdir(parents=True, exist_ok=True)
    for file, array in zip(FILES, made, strict=True):
        write_idx(folder / f"{file}{ending}", array)


DIGITS, CLOTHES = arrays(1), arrays(2)
KNOWN = {"mnist": Known(digests(DIGITS)), "fashion-mnist": Known(digests(CLOTHES))}


@pytest.fixture(autouse=True)
def alone(monkeypatch, tmp_path):
    """No test sees this machine's data, and none draws 70,000 digits."""
    monkeypatch.delenv("MINISGD_DATA", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(glyphs, "make", lambda log=None: tuple(arrays(3)))


def parts(folder):
    return [path for path in folder.rglob("*") if ".part" in path.name]


# ---- finding


@pytest.mark.parametrize("ending", ["", ".gz"])
@pytest.mark.parametrize("place", [".", "mnist"])
def test_four_files_are_found_flat_or_in_a_folder_of_the_name(tmp_path, place, ending):
    put(tmp_path / place, DIGITS, ending)
    found = load_dataset("mnist", tmp_path, download=False, known=KNOWN)
    assert found.name == "mnist"
    np.testing.assert_array_equal(found.train.images, DIGITS[0])
    np.testing.assert_array_equal(found.train.labels, DIGITS[1])
    np.testing.assert_array_equal(found.test.images, DIGITS[2])
    np.testing.assert_array_equal(found.test.labels, DIGITS[3])
    assert found.train.images.dtype == found.test.labels.dtype == np.uint8
    assert found.digest == hashlib.sha256(b"".join(map(unpacked, DIGITS))).hexdigest()
    assert str((tmp_path / place).resolve()) in found.source
    assert not found.train.images.flags.writeable


def test_the_names_with_a_dot_are_found_too(tmp_path):
    put(tmp_path, DIGITS, "")
    for file in FILES:
        (tmp_path / file).rename(tmp_path / file.replace("-idx", ".idx"))
    assert load_dataset("auto", tmp_path, download=False, known=KNOWN).name == "mnist"


def test_the_digest_tells_two_datasets_with_the_same_names_apart(tmp_path):
    put(tmp_path, CLOTHES)
    with pytest.raises(MissingError, match="mnist is not complete in"):
        load_dataset("mnist", tmp_path, download=False, known=KNOWN)
    put(tmp_path / "mnist", DIGITS)
    assert load_dataset("mnist", tmp_path, known=KNOWN).digest != (
        load_dataset("fashion-mnist", tmp_path, known=KNOWN).digest
    )


def test_fashion_mnist_is_found_where_the_system_keeps_it(tmp_path):
    put(tmp_path / "system", CLOTHES)
    known = {"fashion-mnist": Known(digests(CLOTHES), folders=(str(tmp_path / "system"),))}
    assert "system" in load_dataset("fashion-mnist", tmp_path / "empty", known=known).source


def test_the_argument_goes_before_the_environment_before_the_cache(tmp_path, monkeypatch):
    for name in ("argument", "environment", "cache/minisgd"):
        put(tmp_path / name, DIGITS)
    load = lambda folder=None: load_dataset("mnist", folder, known=KNOWN).source  # noqa: E731
    if sys.platform == "linux":
        assert "cache" in load()
    monkeypatch.setenv("MINISGD_DATA", str(tmp_path / "environment"))
    assert "environment" in load()
    assert "argument" in load(str(tmp_path / "argument"))


@pytest.mark.parametrize(
    ("platform", "variables", "expected"),
    [
        ("linux", {"XDG_CACHE_HOME": "/x"}, "/x/minisgd"),
        ("linux", {"XDG_CACHE_HOME": "not/absolute", "HOME": "/h"}, "/h/.cache/minisgd"),
        ("darwin", {"HOME": "/h"}, "/h/Library/Caches/minisgd"),
        ("win32", {"LOCALAPPDATA": "/local"}, "/local/minisgd"),
        ("linux", {"MINISGD_DATA": "~/d", "HOME": "/h"}, "/h/d"),
    ],
)
@pytest.mark.skipif(os.name == "nt", reason="plays the other systems with POSIX paths")
def test_every_platform_has_its_cache(monkeypatch, platform, variables, expected):
    monkeypatch.setattr(sys, "platform", platform)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert str(data.data_folder()) == expected


def test_an_unknown_name_is_a_setting_error(tmp_path):
    for call in (load_dataset, status):
        with pytest.raises(SettingError, match=r"dataset must be one of auto, mnist.*got 'cifar'"):
            call("cifar", tmp_path)


# ---- damaged files


@pytest.mark.parametrize("name", ["auto", "mnist"])
@pytest.mark.parametrize("place", [".", "mnist"])
def test_a_wrong_digest_is_named_and_never_used(tmp_path, name, place):
    put(tmp_path / place, DIGITS)
    bad = DIGITS[2].copy()
    bad[3, 4, 5] ^= 1
    path = tmp_path / place / f"{FILES[2]}.gz"
    write_idx(path, bad)
    with pytest.raises(DataError) as error:
        load_dataset(name, tmp_path, known=KNOWN)
    assert not isinstance(error.value, MissingError)  # so "auto" does not turn to the glyphs
    found = hashlib.sha256(unpacked(bad)).hexdigest()[:12]
    for part in (str(path), found, KNOWN["mnist"].digests[2][:12], "python cli.py data"):
        assert part in str(error.value)
    with pytest.raises(DataError):
        status(name, tmp_path, known=KNOWN)


def test_the_other_datasets_file_in_this_ones_folder_is_refused(tmp_path):
    put(tmp_path / "mnist", CLOTHES)
    with pytest.raises(DataError, match="belongs to fashion-mnist"):
        load_dataset("mnist", tmp_path, known=KNOWN)


def test_a_truncated_file_is_named(tmp_path):
    put(tmp_path, DIGITS)
    path = tmp_path / f"{FILES[0]}.gz"
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(DataError, match=r"train-images.* is truncated; move it away and run"):
        load_dataset("mnist", tmp_path, known=KNOWN)


def test_labels_and_images_must_agree(tmp_path):
    odd = [DIGITS[0], DIGITS[1][:-1], *DIGITS[2:]]
    put(tmp_path, odd)
    with pytest.raises(DataError, match=r"expected images \(N, 28, 28\)"):
        load_dataset("mnist", tmp_path, known={"mnist": Known(digests(odd))})


# ---- auto and glyphs


def test_auto_says_unmissably_that_it_is_not_mnist(tmp_path, capsys):
    found = load_dataset("auto", tmp_path, download=False, known=KNOWN)
    assert found.name == "glyphs"
    told = capsys.readouterr()
    assert told.out == ""
    assert "NOT MNIST" in told.err and "mnist is not complete in" in told.err


def test_mnist_never_falls_back(tmp_path):
    with pytest.raises(MissingError, match="--from DIR"):
        load_dataset("mnist", tmp_path, download=False, known=KNOWN)


def test_glyphs_are_kept_and_verified(tmp_path, monkeypatch):
    said = []
    first = load_dataset("glyphs", tmp_path, log=said.append)
    assert "kept in" in first.source and not parts(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(glyphs, "make", None)
        assert load_dataset("glyphs", tmp_path, log=said.append).digest == first.digest
    assert said == []
    assert "20 + 10 images, verified" in status("glyphs", tmp_path)
    write_idx(tmp_path / "glyphs" / f"{FILES[1]}.gz", DIGITS[1][::-1])
    with pytest.raises(DataError, match="damaged"):
        status("glyphs", tmp_path)
    assert load_dataset("glyphs", tmp_path, log=said.append).digest == first.digest
    assert "drawing the digits again" in said[0]
    assert status("glyphs", tmp_path)


@pytest.mark.parametrize(
    "note", ["", "{", "[]", "null", '{"recipe": 0}', "[" * 9999, '"x"', "\xff"]
)
def test_glyphs_of_another_recipe_or_unfinished_are_drawn_again(tmp_path, note):
    load_dataset("glyphs", tmp_path)
    (tmp_path / "glyphs" / "digests.json").write_text(note, encoding="latin-1")
    assert status("glyphs", tmp_path) is None
    load_dataset("glyphs", tmp_path)
    assert status("glyphs", tmp_path)


def test_glyphs_that_cannot_be_kept_are_used_all_the_same(tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("in the way")
    said = []
    found = load_dataset("glyphs", blocked, log=said.append)
    assert found.name == "glyphs" and "not kept" in found.source
    assert "not kept" in said[0] and "MINISGD_DATA" in said[0]


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root writes anywhere")
def test_a_read_only_folder_is_read(tmp_path):
    put(tmp_path, DIGITS)
    tmp_path.chmod(0o555)
    try:
        assert load_dataset("mnist", tmp_path, known=KNOWN).name == "mnist"
        assert "not kept" in load_dataset("glyphs", tmp_path).source
    finally:
        tmp_path.chmod(0o755)


def test_reading_writes_nothing(tmp_path, monkeypatch):
    put(tmp_path, DIGITS)
    monkeypatch.setattr(data, "write_aside", None)
    monkeypatch.setattr(os, "replace", None)
    before = sorted(tmp_path.rglob("*"))
    load_dataset("auto", tmp_path, known=KNOWN)
    assert status("mnist", tmp_path, known=KNOWN).startswith("20 + 10 images, verified")
    assert status("fashion-mnist", tmp_path, known=KNOWN) is None
    assert sorted(tmp_path.rglob("*")) == before


def test_importing_the_room_does_not_import_matplotlib():
    code = "import sys, minisgd.data; sys.exit('matplotlib' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


# ---- import


@pytest.mark.parametrize("ending", ["", ".gz"])
def test_import_copies_verified_files(tmp_path, ending):
    put(tmp_path / "mine", DIGITS, ending)
    found = import_files("mnist", tmp_path / "mine", tmp_path / "data", known=KNOWN)
    np.testing.assert_array_equal(found.train.images, DIGITS[0])
    copies = sorted(path.name for path in (tmp_path / "data" / "mnist").iterdir())
    assert copies == sorted(f"{file}{ending}" for file in FILES)
    import_files(
        "mnist", tmp_path / "data" / "mnist", tmp_path / "data", known=KNOWN
    )  # onto itself


def test_import_refuses_what_is_missing_wrong_or_nowhere(tmp_path):
    mine, target = tmp_path / "mine", tmp_path / "data"
    for source in (tmp_path / "nowhere", "~nobody/at/home", mine):
        with pytest.raises(DataError, match="holds no train-images"):
            import_files("mnist", source, target, known=KNOWN)
    put(mine, CLOTHES)
    with pytest.raises(DataError, match=r"belongs to fashion-mnist: SHA-256 .* not imported"):
        import_files("mnist", mine, target, known=KNOWN)
    for name in ("glyphs", "auto", "cifar"):
        with pytest.raises(SettingError, match=f"got '{name}'"):
            import_files(name, mine, target, known=KNOWN)
    assert not target.exists()
    target.write_text("in the way")
    with pytest.raises(DataError, match="cannot be written"):
        import_files("fashion-mnist", mine, target, known=KNOWN)


# ---- IDX


@pytest.mark.parametrize("name", ["plain", "packed.gz"])
@pytest.mark.parametrize("shape", [(7,), (2, 3), (3, 28, 28), (2, 1, 3, 4)])
def test_idx_round_trip_in_the_same_bytes(tmp_path, name, shape):
    array = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    write_idx(tmp_path / name, array)
    first = (tmp_path / name).read_bytes()
    write_idx(tmp_path / name, array)
    assert (tmp_path / name).read_bytes() == first
    if name == "packed.gz":
        assert first[3:8] == bytes(5)  # neither a name nor a time in gzip's header
    assert (first if name == "plain" else gzip.decompress(first)) == unpacked(array)
    np.testing.assert_array_equal(read_idx(tmp_path / name), array)
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_write_idx_takes_bytes_only_and_leaves_nothing_when_it_fails(tmp_path, monkeypatch):
    with pytest.raises(TypeError, match="uint8, got float64"):
        write_idx(tmp_path / "x", np.zeros(3))

    def full(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StorageError, match="No space"):
        write_idx(tmp_path / "x", DIGITS[1])
    assert list(tmp_path.iterdir()) == []


GOOD = unpacked(DIGITS[3])  # 4 + 4 + 10 bytes


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"", "it begins nowhere"),
        (b"\0\0\x08", "no IDX file"),
        (b"\x89PNG\r\n", "it begins 89 50 4e 47"),
        (b"\0\0\x0d\x01" + GOOD[4:], "no IDX file of bytes"),
        (b"\0\0\x08\x00", "no IDX file"),
        (b"\0\0\x08\xff", "no IDX file"),
        (GOOD[:6], "truncated: it ends in its header"),
        (GOOD[:-1], "is truncated: 10 bytes are promised"),
        (GOOD + b"x", "is too long"),
        (b"\0\0\x08\x01\xff\xff\xff\xff" + bytes(8), "claims the dimensions"),
        (b"\0\0\x08\x03" + b"\xff" * 12, "claims the dimensions"),
        (b"\0\0\x08\x03" + bytes(4) + b"\xff" * 8, "claims the dimensions"),
        (gzip.compress(GOOD)[:-3], "is truncated"),
        (gzip.compress(GOOD)[:5], "is truncated"),
        (gzip.compress(GOOD + b"x"), "is too long"),
        (gzip.compress(GOOD) + b"rubbish", "cannot be read"),
        (gzip.compress(GOOD)[:-8] + bytes(8), "cannot be read"),
        (b"\x1f\x8b\x08\0" + bytes(6) + b"\xff" * 30, "cannot be read"),
    ],
)
def test_a_foreign_file_is_a_data_error_naming_the_path(tmp_path, content, complaint):
    path = tmp_path / "some-idx"
    path.write_bytes(content)
    with pytest.raises(DataError) as error:
        read_idx(path)
    assert str(path) in str(error.value) and complaint in str(error.value)


def test_a_folder_or_nothing_is_a_data_error(tmp_path):
    for path in (tmp_path, tmp_path / "none", tmp_path / "a\0b", "x" * 5000):
        with pytest.raises(DataError):
            read_idx(path)


@pytest.mark.parametrize("promised", [10, 1 << 31])
def test_a_small_file_does_not_unpack_to_gigabytes(tmp_path, promised):
    bomb = io.BytesIO()
    with gzip.GzipFile(fileobj=bomb, mode="wb") as out:
        out.write(b"\0\0\x08\x01" + promised.to_bytes(4, "big"))
        for _ in range(64):
            out.write(bytes(1 << 20))
    path = tmp_path / "bomb.gz"
    path.write_bytes(bomb.getvalue())
    tracemalloc.start()
    try:
        with pytest.raises(DataError):
            read_idx(path)
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()


SEEDS = [GOOD, gzip.compress(GOOD), gzip.compress(GOOD) * 2, unpacked(DIGITS[0][:1])]


@settings(
    max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    content=st.sampled_from(SEEDS),
    changes=st.lists(st.tuples(st.integers(0, 40), st.binary(max_size=4)), max_size=4),
    keep=st.integers(0, 1000),
)
def test_no_bytes_raise_anything_but_a_data_error(tmp_path, content, changes, keep):
    content = bytearray(content)
    for at, piece in changes:
        content[at : at + len(piece)] = piece
    path = tmp_path / "mutant"
    path.write_bytes(content[:keep])
    try:
        array = read_idx(path)
    except DataError as error:
        assert str(path) in str(error)
    else:
        assert array.dtype == np.uint8 and 0 < array.size <= idx.MOST_BYTES


# ---- mirrors


class Mirror(http.server.BaseHTTPRequestHandler):
    """Answers the next request as `script` says, and when that has ended as it should."""

    files, script, asked, agents = {}, [], [], set()

    def log_message(self, *args):
        pass

    def do_GET(self):
        self.asked.append(self.path)
        self.agents.add(self.headers["User-Agent"])
        body = self.files[self.path.rsplit("/", 1)[-1]]
        what = self.script.pop(0) if self.script else "works"
        if isinstance(what, int):
            return self.send_error(what)
        if what == "silent":
            return time.sleep(0.8)
        if what == "hangs up":  # unread bytes and no answer: the connection is reset
            self.close_connection = True
            return None
        if what == "redirects":
            self.send_response(302)
            self.send_header("Location", "/elsewhere" + self.path)
            self.send_header("Content-Length", "0")
            return self.end_headers()
        if what == "nonsense":
            return self.wfile.write(b"nothing like HTTP\x1b[31m\r\n\r\n")
        self.send_response(200)
        if what == "huge":
            self.send_header("Content-Length", str(1 << 40))
        elif what != "endless":
            self.send_header("Content-Length", "9" * 5000 if what == "digits" else str(len(body)))
        self.end_headers()
        if what == "corrupts":
            body = body[:100] + bytes([body[100] ^ 255]) + body[101:]
        elif what == "portal":
            body = b"<html>please pay</html>".ljust(len(body))
        elif what == "bomb":
            body = gzip.compress(bytes(1 << 22))[: len(body)].ljust(len(body))
        elif what == "truncates":
            body = body[:-50]
        try:
            if what == "endless":
                while True:
                    self.wfile.write(bytes(1 << 16))
            if what in ("stalls", "trickles"):
                self.wfile.write(body[:50])
                for _ in range(16):
                    time.sleep(0.05)
                    if what == "trickles":
                        self.wfile.write(b"x")
            else:
                self.wfile.write(body)
        except OSError:
            pass  # the reader gave up, as it should


@pytest.fixture
def mirror():
    """A server on this machine, and the `known` that names it."""
    packed = {f"{f}.gz": gzip.compress(unpacked(a)) for f, a in zip(FILES, DIGITS, strict=True)}

    class Fresh(Mirror):
        files, script, asked, agents = packed, [], [], set()

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Fresh)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    server.url = f"http://127.0.0.1:{server.server_port}/a/"
    server.known = {"mnist": Known(KNOWN["mnist"].digests, (server.url,))}
    server.handler = Fresh
    yield server
    server.shutdown()
    server.server_close()


def fetched(mirror, tmp_path, said=None, name="mnist"):
    log = [].append if said is None else said.append
    return load_dataset(name, tmp_path, log=log, known=mirror.known, patience=IMPATIENT)


def test_a_download_is_verified_kept_and_told_a_line_a_file(mirror, tmp_path):
    said = []
    found = fetched(mirror, tmp_path, said)
    np.testing.assert_array_equal(found.test.images, DIGITS[2])
    assert len(said) == 4 and "MB) from 127.0.0.1" in said[0] and FILES[0] in said[0]
    kept = sorted(path.name for path in (tmp_path / "mnist").iterdir())
    assert kept == sorted(f"{file}.gz" for file in FILES)
    assert "minisgd" in next(iter(mirror.handler.agents))
    asked = len(mirror.handler.asked)
    fetched(mirror, tmp_path)
    assert len(mirror.handler.asked) == asked == 4


def test_a_long_download_says_how_far_it_is(mirror, tmp_path):
    mirror.handler.script[:] = ["trickles"]
    said, patience = [], replace(IMPATIENT, quiet=0.05, silence=5.0)
    load_dataset("mnist", tmp_path, log=said.append, known=mirror.known, patience=patience)
    assert said[0].startswith("downloading") and said[1] == "  0.0 MB are here"


def test_only_what_is_missing_is_fetched(mirror, tmp_path):
    put(tmp_path, DIGITS)
    (tmp_path / f"{FILES[1]}.gz").unlink()
    fetched(mirror, tmp_path)
    assert mirror.handler.asked == [f"/a/{FILES[1]}.gz"]


@pytest.mark.parametrize(
    "once", [500, 503, "truncates", "stalls", "trickles", "redirects", "digits", "hangs up"]
)
def test_what_passes_is_asked_again(mirror, tmp_path, once):
    mirror.handler.script[:] = [once]
    np.testing.assert_array_equal(fetched(mirror, tmp_path).train.images, DIGITS[0])
    assert not parts(tmp_path)


@pytest.mark.parametrize(
    ("always", "complaint"),
    [
        (403, "HTTP 403"),
        (404, "HTTP 404"),
        (500, "HTTP 500"),
        ("truncates", "ended after"),
        ("stalls", "stalled"),
        ("trickles", "stalled"),
        ("silent", "no answer"),
        ("hangs up", "closed connection"),
        ("corrupts", "no IDX file|wrong bytes"),
        ("portal", "no IDX file"),
        ("bomb", "no IDX file"),
        ("huge", "offers 1,099,511,627,776 bytes"),
        ("endless", "sends more than 1,048,576 bytes"),
        ("nonsense", r"nothing like HTTP\?"),
        ("redirects", "HTTP 302"),
    ],
)
def test_what_stays_wrong_is_told_in_one_sentence(mirror, tmp_path, always, complaint):
    mirror.handler.script[:] = [always] * 50
    with pytest.raises(MissingError, match=complaint) as error:
        fetched(mirror, tmp_path)
    assert "127.0.0.1" in str(error.value) and "--from DIR" in str(error.value)
    assert str(error.value).isprintable()
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


@pytest.mark.parametrize("first", [403, "corrupts", "silent", "nonsense", "huge"])
def test_the_next_mirror_is_asked_and_then_asked_first(mirror, tmp_path, first):
    other = mirror.url.replace("/a/", "/b/")
    mirror.known["mnist"] = Known(KNOWN["mnist"].digests, (mirror.url, other))
    mirror.handler.script[:] = [first]
    fetched(mirror, tmp_path)
    assert [path[:3] for path in mirror.handler.asked] == ["/a/", "/b/", "/b/", "/b/", "/b/"]


def test_the_right_length_with_the_wrong_bytes_is_refused(mirror, tmp_path):
    wrong = DIGITS[0] ^ 1
    mirror.handler.files[f"{FILES[0]}.gz"] = gzip.compress(unpacked(wrong))
    with pytest.raises(MissingError, match=f"wrong bytes, SHA-256 {digests([wrong])[0][:12]}"):
        fetched(mirror, tmp_path)
    assert not parts(tmp_path)


# A certificate that nobody vouches for, and its key; good for nothing but this test, until 2126.
NOBODYS = """\
-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgAG8nJe3HD+FFHq4P
VG/sbS6ApPIZomdbXky2MOzwWDahRANCAAS9OL58nXEiS7SysXWlXza5KGXBZuDR
JQnrA8IYN0wsMleG0VSspW8SkRPOP1TG+l4jS/0+iCkhunZTyamWU30q
-----END PRIVATE KEY-----
-----BEGIN CERTIFICATE-----
MIIBmzCCAUGgAwIBAgIUOwCcTWZe9q3qFgdW0oLHFyzJHPQwCgYIKoZIzj0EAwIw
FDESMBAGA1UEAwwJbG9jYWxob3N0MCAXDTI2MTEyMzAzMDMwM1oYDzIxMjYxMDMw
MDMwMzAzWjAUMRIwEAYDVQQDDAlsb2NhbGhvc3QwWTATBgcqhkjOPQIBBggqhkjO
PQMBBwNCAAS9OL58nXEiS7SysXWlXza5KGXBZuDRJQnrA8IYN0wsMleG0VSspW8S
kRPOP1TG+l4jS/0+iCkhunZTyamWU30qo28wbTAdBgNVHQ4EFgQUNRp+JBHq3NVy
HhZ5zVwdmSNtXpEwHwYDVR0jBBgwFoAUNRp+JBHq3NVyHhZ5zVwdmSNtXpEwDwYD
VR0TAQH/BAUwAwEB/zAaBgNVHREEEzARgglsb2NhbGhvc3SHBH8AAAEwCgYIKoZI
zj0EAwIDSAAwRQIgayRDAZrAMIIVKhAhJaqtGkbTfDAyvFHQLN+d+EyCJ2MCIQDL
W3jO5qb97PPVCN5uuzewPiPt7CU1SDxvpoGvr0d8aw==
-----END CERTIFICATE-----
"""


def test_a_mirror_that_cannot_prove_who_it_is_is_refused(mirror, tmp_path):
    (tmp_path / "nobody.pem").write_text(NOBODYS)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "nobody.pem")
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), mirror.handler)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    try:
        url = f"https://127.0.0.1:{server.server_port}/a/"
        mirror.known["mnist"] = Known(KNOWN["mnist"].digests, (url,))
        with pytest.raises(MissingError, match=r"(?i)certificate verify failed"):
            fetched(mirror, tmp_path / "data")
    finally:
        server.shutdown()
        server.server_close()
    assert mirror.handler.asked == []


def test_without_a_network_auto_turns_to_the_glyphs_at_once(tmp_path):
    nobody = ("http://minisgd.invalid/", "http://127.0.0.1:9/")
    known = {"mnist": Known(KNOWN["mnist"].digests, nobody)}
    said, start = [], time.monotonic()
    found = load_dataset("auto", tmp_path, log=said.append, known=known)
    assert found.name == "glyphs"
    assert time.monotonic() - start < 8.5  # one silent name look-up at most
    assert "NOT MNIST" in said[0]
    assert "minisgd.invalid" in said[0] and "127.0.0.1:9" in said[0]


def test_a_folder_that_cannot_be_written_is_told(mirror, tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(MissingError, match=r"cannot be written .* set MINISGD_DATA"):
        fetched(mirror, tmp_path / "file")
    assert fetched(mirror, tmp_path / "file", name="auto").name == "glyphs"


def test_a_full_disk_is_not_the_mirrors_fault(mirror, tmp_path, monkeypatch):
    def full(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(MissingError, match=r"cannot be written .*No space left"):
        fetched(mirror, tmp_path)
    assert len(mirror.handler.asked) == 1 and not parts(tmp_path)


def test_an_interrupted_download_leaves_nothing(mirror, tmp_path, monkeypatch):
    def interrupt(*args):
        raise KeyboardInterrupt

    monkeypatch.setattr(download, "_piece", interrupt)
    with pytest.raises(KeyboardInterrupt):
        fetched(mirror, tmp_path)
    assert not parts(tmp_path)


def test_a_part_left_by_a_killed_run_is_not_taken_for_the_file(tmp_path):
    put(tmp_path / "mnist", DIGITS)
    path = tmp_path / "mnist" / f"{FILES[0]}.gz"
    path.rename(path.with_name(f"{path.name}.123.part"))
    assert status("mnist", tmp_path, known=KNOWN) is None


# ---- split, shuffle, describe


def test_validation_is_held_out_once_and_for_all():
    split = Split(
        np.arange(10, dtype=np.uint8)[:, None, None] + np.zeros((1, 2, 2), np.uint8),
        np.arange(10, dtype=np.uint8),
    )
    train, validation = split_validation(split, 3, np.random.default_rng(5))
    again = split_validation(split, 3, np.random.default_rng(5))[1]
    assert len(train.labels) == 7 and len(validation.labels) == 3
    assert sorted([*train.labels, *validation.labels]) == list(range(10))
    np.testing.assert_array_equal(validation.labels, again.labels)
    for part in (train, validation):
        np.testing.assert_array_equal(part.images[:, 0, 0], part.labels)
    assert len(split_validation(split, 0, np.random.default_rng(5))[0].labels) == 10
    for size in (-1, 10):
        with pytest.raises(SettingError, match=f"from 0 to 9, got {size}"):
            split_validation(split, size, np.random.default_rng(5))


def test_the_order_of_an_epoch_depends_on_seed_and_epoch_alone():
    order = epoch_order(1000, seed=0, epoch=3)
    assert order.dtype == np.int64
    np.testing.assert_array_equal(np.sort(order), np.arange(1000))
    epoch_order(1000, seed=0, epoch=2)
    np.random.default_rng(0).random(5)
    np.testing.assert_array_equal(epoch_order(1000, seed=0, epoch=3), order)
    for seed, epoch in ((0, 4), (1, 3)):
        assert (epoch_order(1000, seed, epoch) != order).mean() > 0.9
    # Written down, so that a new version that shuffles differently is noticed.
    assert epoch_order(8, 0, 1).tolist() == [4, 3, 6, 1, 7, 2, 5, 0]


def test_describe_tells_sizes_classes_grey_and_digest(tmp_path):
    put(tmp_path, DIGITS)
    found = load_dataset("mnist", tmp_path, known=KNOWN)
    text = "\n".join(describe(found))
    for part in ("20 + 10", "2 2 2 2 2 2 2 2 2 2", found.digest, str(tmp_path)):
        assert part in text
    assert f"mean pixel {DIGITS[0].mean() / 255:.4f}" in text
    assert f"standard deviation {(DIGITS[2] / 255).std():.4f}" in text


# ---- the real thing, where it is


REAL = os.environ.get("MINISGD_DATA")  # as the tests are collected: `alone` hides it later


@pytest.mark.skipif(
    not REAL, reason="set MINISGD_DATA to a folder with MNIST to check the real one"
)
def test_real_mnist_is_the_reports():
    try:
        found = load_dataset("mnist", REAL, download=False)
    except MissingError:
        pytest.skip("MINISGD_DATA holds no MNIST")
    assert found.digest == "b2d8f5bf39174ee5ffeefa97e42d673c35432b411bb5d1f74fbbeddae7f1690a"
    assert len(found.train.labels) == 60_000 and len(found.test.labels) == 10_000
    assert np.bincount(found.test.labels)[1] == 1135  # what a stuck network calls everything
    assert abs(found.train.images.mean() / 255 - 0.1307) < 5e-5
