"""What a mirror may do: be slow, stop, send wrong bytes, pretend to be another."""

import gzip
import http.server
import os
import ssl
import threading
import time
from dataclasses import replace

import numpy as np
import pytest
from small_sets import DIGITS, KNOWN, digests, parts, put, unpacked

from minisgd.data import FILES, Known, MissingError, download, load_dataset, status
from minisgd.data.download import Patience

IMPATIENT = Patience(answer=0.5, silence=0.2, tries=2, pause=0.01, most=1 << 20)
pytestmark = pytest.mark.usefixtures("alone")


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
    assert said[0].startswith("downloading") and said[1] == "  0.0 MB received"


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
        ("corrupts", "not an IDX file|wrong bytes"),
        ("portal", "not an IDX file"),
        ("bomb", "not an IDX file"),
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
    (tmp_path / "mnist").write_text("in the way")
    with pytest.raises(MissingError, match=r"cannot be written .* set MINISGD_DATA"):
        fetched(mirror, tmp_path)
    assert fetched(mirror, tmp_path, name="auto").name == "glyphs"


def test_a_full_disk_is_not_the_mirrors_fault(mirror, tmp_path, monkeypatch):
    def full(descriptor):
        raise OSError(28, "No space left on device")

    (tmp_path / "mnist").mkdir()
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(MissingError, match=r"cannot be written .*No space left"):
        fetched(mirror, tmp_path)
    assert len(mirror.handler.asked) == 1 and not parts(tmp_path)


def test_a_disk_that_cannot_be_read_is_not_the_mirrors_fault(mirror, tmp_path, monkeypatch):
    def broken(self, *_):
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(gzip.GzipFile, "read", broken)
    with pytest.raises(MissingError, match=r"mnist cannot be written .*Input/output error"):
        fetched(mirror, tmp_path)
    assert len(mirror.handler.asked) == 1 and not parts(tmp_path)


def test_that_no_thread_can_be_started_is_not_the_mirrors_fault(tmp_path, no_thread):
    known = {"mnist": Known(KNOWN["mnist"].digests, ("http://127.0.0.1:9/",))}
    told = r"^no mirror can be asked \(can't start new thread\): raise `ulimit -u`; to work offline"
    with pytest.raises(MissingError, match=told):
        load_dataset("mnist", tmp_path, known=known)


def test_what_a_killed_download_left_is_deleted_once_nobody_writes_it(mirror, tmp_path):
    for age, name in ((700, "old"), (0, "young")):
        part = tmp_path / "mnist" / f"{FILES[0]}.gz.{name}.part"
        part.parent.mkdir(exist_ok=True)
        part.write_bytes(b"half")
        os.utime(part, (time.time() - age,) * 2)
    fetched(mirror, tmp_path)
    assert [part.name for part in parts(tmp_path)] == [f"{FILES[0]}.gz.young.part"]


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
