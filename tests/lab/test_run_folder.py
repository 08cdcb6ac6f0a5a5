"""What a run leaves on disk comes back the same, or is noticed to be damaged."""

import json
import zipfile
from dataclasses import asdict, replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as effort
from hypothesis import strategies as st

from minisgd.disk.files import BusyError, StorageError, write_aside
from minisgd.disk.formats import DamagedError, NewerError, read_json, read_records, write_json
from minisgd.errors import UserError
from minisgd.inits import INITS
from minisgd.lab import run_folder
from minisgd.lab.checkpoints import read_checkpoint
from minisgd.lab.metrics import COLUMNS, FIRST, read_metrics, read_runs, tidy, write_metrics
from minisgd.lab.names import run_name
from minisgd.lab.run_folder import RunFolder
from minisgd.networks import LENET5, NETWORKS, size_of
from minisgd.settings import OF_SOME, Settings
from minisgd.train import METRICS, State

P = size_of(LENET5)
SETTINGS = Settings(batch_size=128, momentum=0.9, epochs=9, seed=3)


def record(epoch, **columns):
    """An epoch as train tells it; `status` decides whether it has metrics."""
    columns = {"epoch": epoch, "lr": 0.01 / epoch, "seconds": 0.1, "status": "ok"} | columns
    if columns["status"] == "diverged":
        return columns | dict.fromkeys(METRICS) | {"update": 7}
    return dict.fromkeys(METRICS, 1 / (epoch + 2)) | columns


def state(epoch, dtype=np.float32):
    rng = np.random.default_rng(epoch)
    w, v = rng.normal(size=(2, P)).astype(dtype)
    return State(epoch, w, {"v": v}, epoch % 3 or None, epoch % 4)


def silence(line):
    if "continues after epoch" not in line:
        pytest.fail(f"nothing was to be said, but: {line}")


def opened(out, settings=SETTINGS, digest="abc"):
    """A run's folder, made."""
    folder = RunFolder(out, settings, digest)
    folder.path.mkdir(parents=True, exist_ok=True)
    return folder


def saved(out, epochs, settings=SETTINGS, digest="abc"):
    """A folder in which that many epochs were saved, one by one."""
    folder = opened(out, settings, digest)
    folder.resume(silence)
    records = []
    for epoch in range(1, epochs + 1):
        records.append(record(epoch))
        folder.save(records, state(epoch))
    return folder, records


def same(one, other):
    """Whether two states are the same, bit by bit."""
    return (
        (one.epoch, one.predicted_class, one.frozen)
        == (other.epoch, other.predicted_class, other.frozen)
        and one.w.dtype == other.w.dtype
        and one.w.tobytes() == other.w.tobytes()
        and one.memory["v"].tobytes() == other.memory["v"].tobytes()
    )


def flip(path, place, bit=0):
    """Turn over one bit of a file."""
    data = bytearray(path.read_bytes())
    data[place] ^= 1 << bit
    path.write_bytes(data)


# -- there and back


def test_a_folder_goes_on_from_what_was_saved(tmp_path):
    folder, records = saved(tmp_path, 4)
    said = []
    found, after = RunFolder(tmp_path, SETTINGS, "abc").resume(said.append)
    assert said == [f"{run_name(SETTINGS)} continues after epoch 4"]
    assert found == records and same(after, state(4))
    assert folder.records() == records and not folder.finished()
    assert folder.path == tmp_path / run_name(SETTINGS)


def test_nothing_saved_is_a_beginning(tmp_path):
    folder = opened(tmp_path / "new")
    assert folder.records() == [] and not folder.finished()
    assert folder.resume(silence) == ([], None)
    said = read_json(folder.path / "run.json")
    # A base batch size means nothing under --rule none, nor a warmup's length without a warmup.
    matter = asdict(SETTINGS)
    for name, idle in (
        ("base_batch_size", SETTINGS.rule == "none"),
        ("warmup_epochs", SETTINGS.warmup == "none"),
    ):
        if idle:
            del matter[name]
    # No warmup; the momentum says which optimizer; what only others use.
    for name in ("warmup_updates", "optimizer", *OF_SOME):
        del matter[name]
    assert said == {"format": 2, "settings": matter, "digest": "abc"}


numbers = st.floats(allow_nan=False, allow_infinity=False)


@effort(max_examples=20)
@given(
    st.lists(st.tuples(*[numbers] * 6, st.sampled_from(["ok", "stuck"])), max_size=5),
    st.booleans(),
)
def test_any_records_come_back_from_the_lines_and_from_a_checkpoint(tmp_path_factory, rows, bad):
    folder = opened(tmp_path_factory.mktemp("run"))
    folder.resume(silence)
    names = ("lr", "seconds", *METRICS, "status")
    records = [dict(zip(names, row, strict=True)) | {"epoch": i} for i, row in enumerate(rows, 1)]
    if bad:
        records.append(record(len(records) + 1, status="diverged"))
    for n in range(1, len(records) + 1):
        folder.save(records[:n], state(n))
    assert read_records(folder.lines) == records
    found, after = folder.resume(silence)
    assert found == records and (after is None or same(after, state(len(records))))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_checkpoint_keeps_the_bits_of_either_dtype(tmp_path, dtype):
    folder = opened(tmp_path)
    folder.resume(silence)
    folder.save([record(1)], state(1, dtype))
    _, records, found = read_checkpoint(folder.newest)
    assert records == [record(1)] and same(found, state(1, dtype))


def test_a_run_is_finished_after_its_last_epoch_or_a_divergence(tmp_path):
    short = replace(SETTINGS, epochs=3)
    folder, records = saved(tmp_path, 2, short)
    assert not folder.finished()
    folder.save([*records, record(3)], state(3))
    assert folder.finished()
    folder, records = saved(tmp_path, 2, replace(SETTINGS, seed=4))
    folder.save([*records, record(3, status="diverged")], state(3))
    assert folder.finished()


def test_what_is_written_leaves_nothing_beside_it(tmp_path):
    folder, _ = saved(tmp_path, 3)
    names = {"run.json", "epochs.jsonl", "checkpoint.npz", "checkpoint-previous.npz"}
    assert {path.name for path in folder.path.iterdir()} == names
    assert same(read_checkpoint(folder.previous)[2], state(2))


def test_a_write_that_fails_leaves_the_old_file_and_nothing_beside_it(tmp_path, monkeypatch):
    path = tmp_path / "file"
    write_aside(path, b"old")

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(StorageError, match=r"cannot write .*file: No space left") as error:
        write_aside(path, b"new")
    assert path.read_bytes() == b"old" and list(tmp_path.iterdir()) == [path]
    assert "\n" not in str(error.value)


# -- lines of epochs


def test_a_torn_last_line_is_dropped_wherever_it_was_torn(tmp_path):
    folder, records = saved(tmp_path, 3)
    whole = folder.lines.read_bytes()
    last = whole[:-1].rindex(b"\n") + 1
    for end in range(last, len(whole)):
        folder.lines.write_bytes(whole[:end])
        assert read_records(folder.lines) == records[:2]


def test_a_flipped_bit_is_noticed_wherever_it_is(tmp_path):
    folder, records = saved(tmp_path, 3)
    whole = folder.lines.read_bytes()
    starts = [0, *(i + 1 for i, byte in enumerate(whole) if byte == 10)]
    for place in range(len(whole)):
        flipped = whole[place] ^ 1 << place % 8
        folder.lines.write_bytes(whole[:place] + bytes([flipped]) + whole[place + 1 :])
        line = sum(start <= place for start in starts) - 1
        assert read_records(folder.lines) == records[:line], f"byte {place}, bit {place % 8}"


def test_lines_out_of_order_are_damaged(tmp_path):
    folder, records = saved(tmp_path, 3)
    first, second, third = folder.lines.read_bytes().splitlines(keepends=True)
    for text, good in (
        (first + third, 1),
        (second + first, 0),
        (first + first, 1),
        (first + b"\n" + second, 1),
    ):
        folder.lines.write_bytes(text)
        assert read_records(folder.lines) == records[:good]


@pytest.mark.parametrize("text", [b"", b"torn", b"\xff\xfe\n", b"1\n", b"null\n", b"{}\n", b"\n"])
def test_lines_that_never_were_ours_are_no_records(tmp_path, text):
    (tmp_path / "lines").write_bytes(text)
    assert read_records(tmp_path / "lines") == []


# -- checkpoints


def test_a_damaged_checkpoint_is_noticed(tmp_path):
    """A flip that goes unnoticed is in bytes that say nothing: what is read is then the same."""
    folder, records = saved(tmp_path, 2)
    path, size = folder.newest, folder.newest.stat().st_size
    whole, noticed = path.read_bytes(), 0
    ends = [*range(0, 300, 3), *range(size - 300, size, 3)]
    inside = range(300, size - 300, 5_003)
    for place in (*ends, *inside):
        flip(path, place, place % 8)
        try:
            _, found, after = read_checkpoint(path)
        except DamagedError as error:
            assert str(path) in str(error)
            noticed += 1
        else:
            assert place not in inside and found == records and same(after, state(2))
        path.write_bytes(whole)
    assert noticed > len(inside) + len(ends) / 2
    for end in (0, 1, 100, size // 2, size - 1):
        path.write_bytes(whole[:end])
        with pytest.raises(DamagedError):
            read_checkpoint(path)


def test_a_checkpoint_that_holds_something_else_is_refused(tmp_path):
    path = tmp_path / "checkpoint.npz"
    words = {"run": {}, "records": [], "epoch": 0, "told": None, "frozen": 0}

    def bytes_of(**other):
        return np.frombuffer(json.dumps(words | other).encode(), np.uint8)

    good = {"w": np.zeros(P), "v": np.zeros(P), "said": bytes_of()}
    np.savez(path, **good)
    assert read_checkpoint(path)[2].epoch == 0
    for wrong in (
        {"w": np.zeros(P - 1)},
        {"v": np.zeros((P, 1))},
        {"v": np.zeros(P, np.float32)},
        {"w": np.zeros(P, int), "v": np.zeros(P, int)},
        {"said": bytes_of(epoch=1)},
        {"said": bytes_of(epoch=10**12)},  # as many would take terabytes to count
        {"said": bytes_of(run=None)},
        {"said": np.frombuffer(b"[]", np.uint8)},
        {"w": np.array([None] * P, dtype=object)},
        {"w": np.zeros(P).reshape(P, 1)},
    ):
        np.savez(path, **(good | wrong))
        with pytest.raises(DamagedError):
            read_checkpoint(path)
    with zipfile.ZipFile(path, "w") as archive:  # a header that claims 728 TB
        for name in good:
            head = (
                b"\x93NUMPY\x01\x00v\x00"
                + str({"descr": "<f8", "fortran_order": False, "shape": (10**14,)})
                .encode()
                .ljust(117)
                + b"\n"
            )
            archive.writestr(f"{name}.npy", head)
    with pytest.raises(DamagedError, match="claims to be"):
        read_checkpoint(path)
    np.savez(path, w=good["w"], v=good["v"])
    with pytest.raises(DamagedError):
        read_checkpoint(path)


def test_with_the_newest_checkpoint_damaged_the_one_before_costs_an_epoch(tmp_path):
    folder, records = saved(tmp_path, 3)
    flip(folder.newest, 5_000)
    said = []
    found, after = folder.resume(said.append)
    assert found == records[:2] and same(after, state(2))
    assert len(said) == 1 and f"{folder.newest} is damaged" in said[0] and "epoch 3" in said[0]
    assert folder.records() == records[:2]  # the lines were made to agree
    folder.save(records, state(3))
    assert folder.records() == records and same(folder.resume(silence)[1], state(3))


def test_a_checkpoint_that_is_gone_is_told(tmp_path):
    folder, records = saved(tmp_path, 4)
    folder.newest.unlink()
    said = []
    assert folder.resume(said.append)[0] == records[:3]
    assert len(said) == 1 and "checkpoint.npz is gone" in said[0] and "epoch 4" in said[0]
    folder.previous.unlink()
    assert folder.resume(said.append) == ([], None)
    assert len(said) == 2 and said[1].endswith("continues from epoch 1")


def test_with_both_checkpoints_damaged_the_run_starts_over(tmp_path):
    folder, records = saved(tmp_path, 3)
    flip(folder.newest, 5_000)
    folder.previous.write_bytes(b"")
    said = []
    assert folder.resume(said.append) == ([], None)
    assert len(said) == 1 and "continues from epoch 1" in said[0]
    assert folder.records() == []
    folder.save(records[:1], state(1))
    assert folder.resume(silence)[0] == records[:1]


def test_lines_that_were_lost_are_made_again_from_the_checkpoint(tmp_path):
    folder, records = saved(tmp_path, 3)
    whole = folder.lines.read_bytes()
    for damage in (b"", whole[:50], whole[: len(whole) - 5], whole + b"torn"):
        folder.lines.write_bytes(damage)
        assert folder.resume(silence)[0] == records
        assert folder.lines.read_bytes() == whole


# -- the table of all epochs


def test_metrics_come_back_as_numbers_and_words_and_empty_cells_as_none(tmp_path):
    settings = Settings(batch_size=256, lr=0.1 + 0.2, rule="sqrt", warmup="constant", seed=7)
    rows = [
        tidy(settings, record(1, lr=1 / 3, test_loss=1e-300)),
        tidy(replace(settings, momentum=0.929), record(2, status="diverged")),
    ]
    path = tmp_path / "metrics.csv"
    write_metrics(path, rows)
    assert read_metrics(path) == rows
    first, second = rows
    assert list(first) == COLUMNS
    assert (first["optimizer"], first["base_lr"], first["lr"]) == ("sgd", 0.1 + 0.2, 1 / 3)
    assert (second["optimizer"], second["status"]) == ("momentum", "diverged")
    assert [second[name] for name in METRICS] == [None] * 4
    lines = path.read_text().splitlines()
    assert lines[0] == (
        "rule,warmup,optimizer,batch_size,base_lr,lr,momentum,seed,epoch,train_loss,train_accuracy,"
        "test_loss,test_accuracy,seconds,status,"
        "base_batch_size,warmup_epochs,epochs,clip,beta2,epsilon,weight_decay,trust,adam_factor,warmup_updates,decay,network,plain,own,init,batch_schedule,loss"
    )
    assert lines[2] == (
        "sqrt,constant,momentum,256,0.30000000000000004,0.005,0.929,7,2,,,,,0.1,diverged,"
        "64,10,30,,0.999,1e-08,0.0,0.001,1.0,,none,lenet5,False,,uniform,,softmax"
    )
    assert all(type(row[name]) is int for row in read_metrics(path) for name in ("seed", "epoch"))


def test_no_runs_are_a_table_without_rows(tmp_path):
    write_metrics(tmp_path / "metrics.csv", [])
    assert read_metrics(tmp_path / "metrics.csv") == []


HEAD = ",".join(FIRST)  # as an earlier version wrote it
ROW = "none,none,sgd,64,0.01,0.01,0,0,1,1,1,1,1,1,ok"
CELLS = ROW.split(",")
WRONG = {
    **dict.fromkeys(("train_accuracy", "test_accuracy"), ("nan", "inf", "-7", "1.5", "")),
    **dict.fromkeys(("train_loss", "test_loss", "lr", "seconds"), ("nan", "inf", "")),
}


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"nothing of ours\n",
        HEAD.replace("seed", "need").encode(),
        f"{HEAD}\n{ROW},1\n".encode(),
        f"{HEAD}\n{ROW[:-4]}\n".encode(),
        f"{HEAD}\n{ROW.replace('64', 'many')}\n".encode(),
        f"{HEAD}\n{ROW.replace('0.01', 'slow')}\n".encode(),
        f"{HEAD}\n{ROW.replace('64', '')}\n".encode(),
        f"{HEAD}\n{ROW.replace('0.01', '', 1)}\n".encode(),
        f'{HEAD}\n{ROW}"\n"'.encode(),
        f"{HEAD}\n{ROW}".encode(),
        f"{HEAD}\n{ROW.replace('1,ok', '1,fine')}\n".encode(),
        *(
            f"{HEAD}\n{','.join([*CELLS[:place], cell, *CELLS[place + 1 :]])}\n".encode()
            for name, cells in WRONG.items()
            for place in [FIRST.index(name)]
            for cell in cells
        ),
        b"\xff\xfe\x00",
    ],
)
def test_a_damaged_table_is_refused_with_its_path(tmp_path, text):
    path = tmp_path / "metrics.csv"
    path.write_bytes(f"{HEAD}\n{ROW}\n".encode())
    assert len(read_metrics(path)) == 1
    path.write_bytes(text)
    with pytest.raises(DamagedError) as error:
        read_metrics(path)
    assert str(path) in str(error.value) and "\n" not in str(error.value)
    assert str(error.value).endswith("bring back a copy of it, or move it and metrics.json away")


def test_a_table_whose_lines_end_as_on_windows_is_read(tmp_path):
    path = tmp_path / "metrics.csv"
    path.write_bytes(f"{HEAD}\n{ROW}\n".encode())
    rows = read_metrics(path)
    path.write_bytes(f"{HEAD}\r\n{ROW}\r\n".encode())
    assert read_metrics(path) == rows


def test_a_row_whose_settings_make_no_sense_is_damage(tmp_path):
    path, row = tmp_path / "metrics.csv", tidy(Settings(init="he"), record(1))
    write_metrics(path, [row])
    assert read_runs(path) == [(Settings(init="he"), row)]
    write_metrics(path, [row, row | {"init": "hee"}])
    with pytest.raises(DamagedError, match=r"metrics\.csv is damaged in line 3 \(init must be"):
        read_runs(path)


def test_a_table_that_is_not_there_is_a_users_error(tmp_path):
    with pytest.raises(UserError, match="there is no such file; bring back a copy") as error:
        read_metrics(tmp_path / "metrics.csv")
    assert not isinstance(error.value, DamagedError)


def test_a_table_with_a_column_of_a_later_version_is_newer_not_damaged(tmp_path):
    path = tmp_path / "metrics.csv"
    path.write_text(f"{HEAD},temperature\n{ROW},1\n")
    with pytest.raises(NewerError, match=r"newer minisgd: this one .* its column temperature; use"):
        read_metrics(path)


# -- JSON, and whose run it is


def test_json_comes_back(tmp_path):
    value = {"η": [1, 0.1, None, "x"], "deep": {"er": True}}
    write_json(tmp_path / "a.json", value)
    assert read_json(tmp_path / "a.json") == value
    assert list(tmp_path.iterdir()) == [tmp_path / "a.json"]
    assert read_json(tmp_path / "none.json") is None


def test_a_flipped_bit_of_json_is_noticed_wherever_it_is(tmp_path):
    value = {"η": [1, 0.1, None, "x"], "batch_sizes": [64], "deep": {"er": True}}
    write_json(tmp_path / "a.json", value)
    whole = (tmp_path / "a.json").read_bytes()
    for place in range(len(whole)):
        flipped = bytes([whole[place] ^ 1 << place % 8])
        (tmp_path / "a.json").write_bytes(whole[:place] + flipped + whole[place + 1 :])
        try:
            assert read_json(tmp_path / "a.json") == value  # white space became another
        except DamagedError:
            pass


@pytest.mark.parametrize("text", [b"", b"{", b"[1]", b"3", b"\xff\xfe", b'{"a": 1', b"[" * 100_000])
def test_damaged_json_is_refused_with_its_path(tmp_path, text):
    (tmp_path / "a.json").write_bytes(text)
    with pytest.raises(DamagedError) as error:
        read_json(tmp_path / "a.json")
    assert str(tmp_path / "a.json") in str(error.value) and "\n" not in str(error.value)


def test_a_folder_of_another_run_is_refused(tmp_path):
    """A name holds six digits of a rate: where two settings share it, the folder says whose."""
    saved(tmp_path, 2)
    for settings, digest in (
        (SETTINGS, "another dataset"),
        (replace(SETTINGS, lr=0.01 + 1e-12), "abc"),
        (replace(SETTINGS, epochs=10), "abc"),
    ):
        folder = RunFolder(tmp_path, settings, digest)
        if settings == SETTINGS:
            with pytest.raises(DamagedError, match="another run"):
                folder.records()
        else:  # it has a folder of its own
            assert folder.records() == [] and not folder.path.exists()


def test_who_shares_a_folder_without_locks_is_noticed_and_nothing_is_lost(tmp_path):
    """As two machines do, whose file system locks on each of them alone."""
    one, records = saved(tmp_path, 2)
    other = RunFolder(tmp_path, SETTINGS, "abc")
    found, _ = other.resume(lambda line: None)
    other.save([*found, record(3)], state(3))
    before = {path: path.read_bytes() for path in one.path.iterdir()}
    with pytest.raises(BusyError, match="is written to by another process, perhaps on another"):
        one.save([*records, record(3)], state(3))
    assert before == {path: path.read_bytes() for path in one.path.iterdir()}
    other.save([*found, record(3), record(4)], state(4))
    assert len(RunFolder(tmp_path, SETTINGS, "abc").resume(lambda line: None)[0]) == 4


def test_of_two_that_save_at_once_one_goes_on_and_its_lines_are_whole(tmp_path, monkeypatch):
    """The other writes its epoch, too, after the one has looked whose the checkpoint is."""
    one, records = saved(tmp_path, SETTINGS.epochs - 2)
    other = RunFolder(tmp_path, SETTINGS, "abc")
    other.resume(silence)
    next_one, last_one = record(SETTINGS.epochs - 1), record(SETTINGS.epochs)
    write = run_folder.write_aside

    def late(*args, **keywords):
        monkeypatch.setattr(run_folder, "write_aside", write)
        other.save([*records, {**next_one, "seconds": 0.2}], state(SETTINGS.epochs - 1))
        write(*args, **keywords)

    monkeypatch.setattr(run_folder, "write_aside", late)
    one.save([*records, next_one], state(SETTINGS.epochs - 1))
    assert one.lines.read_bytes().count(b"\n") == SETTINGS.epochs  # of one epoch there are two
    with pytest.raises(BusyError):
        other.save([*records, next_one, last_one], state(SETTINGS.epochs))
    one.save([*records, next_one, last_one], state(SETTINGS.epochs))
    assert one.records() == [*records, next_one, last_one]


def test_a_damaged_run_json_costs_nothing(tmp_path):
    folder, records = saved(tmp_path, 2)
    for damage in (b"{", None):
        (folder.path / "run.json").unlink()
        if damage:
            (folder.path / "run.json").write_bytes(damage)
        assert folder.records() == []  # the lines do not say whose they are
        assert folder.resume(silence)[0] == records == folder.records()
        assert read_json(folder.path / "run.json")["digest"] == "abc"


def test_a_checkpoint_of_another_run_is_refused_where_nothing_else_tells(tmp_path):
    folder, records = saved(tmp_path, 2)
    (folder.path / "run.json").unlink()
    other = RunFolder(tmp_path, SETTINGS, "another")
    assert other.path == folder.path
    with pytest.raises(DamagedError, match=r"checkpoint\.npz belongs to another run: move"):
        other.resume(silence)
    assert folder.resume(silence)[0] == records  # it was left as it is


def test_a_name_says_what_differs_from_the_report():
    assert run_name(Settings()) == "b64-lr0.01-seed0"
    all_of_it = Settings(
        batch_size=8192, lr=0.02, rule="sqrt", base_batch_size=128, warmup="gradual",
        warmup_epochs=5, momentum=0.95, seed=12,
    )  # fmt: skip
    assert run_name(all_of_it) == "b8192-lr0.02-sqrt128-gradual5-m0.95-seed12"


VALUES = {
    "batch_size": st.integers(1, 10**6),
    "seed": st.integers(0, 10**9),
    "lr": st.floats(1e-9, 1e3),
    "epochs": st.integers(30, 99),
    "network": st.sampled_from(sorted(NETWORKS)),
    "plain": st.booleans(),
    "own": st.sampled_from(["", "0123abcd"]),
    "init": st.sampled_from(sorted(INITS)),
    "momentum": st.integers(0, 999).map(lambda n: n / 1_000),
    "rule": st.sampled_from(["sqrt", "linear"]),
    "base_batch_size": st.integers(1, 10**4),
    "warmup": st.sampled_from(["constant", "gradual"]),
    "warmup_epochs": st.integers(1, 30),
    "clip": st.none() | st.floats(1e-6, 1e6),
    "warmup_updates": st.none() | st.integers(1, 999),
}


@given(st.fixed_dictionaries(VALUES), st.sampled_from(sorted(VALUES)), st.data())
def test_different_settings_have_different_names(values, name, draw):
    other = values | {name: draw.draw(VALUES[name])}
    one, two = Settings(**values), Settings(**other)
    assert (run_name(one) == run_name(two)) == (one.key() == two.key())


@given(*[st.fixed_dictionaries(VALUES)] * 2)
def test_a_name_is_one_folder_anywhere(values, other):
    one, two = Settings(**values), Settings(**other)
    assert (run_name(one) == run_name(two)) == (one.key() == two.key())
    assert not set(run_name(one)) & set('/\\:*?"<>| ') and len(run_name(one)) < 150


# -- any bytes at all

READERS = (read_records, read_checkpoint, read_metrics, read_json)
START = {read_metrics: f"{HEAD}\n".encode(), read_checkpoint: b"PK\x03\x04"}


@pytest.mark.parametrize("read", READERS, ids=lambda read: read.__name__)
@effort(max_examples=150)
@given(st.binary(max_size=300), st.booleans())
def test_any_bytes_are_a_value_or_a_users_error(tmp_path_factory, read, text, begins_well):
    path = tmp_path_factory.getbasetemp() / f"any-{read.__name__}"
    path.write_bytes(START.get(read, b"{") * begins_well + text)
    try:
        value = read(path)
    except DamagedError as error:
        assert str(path) in str(error) and str(error).isprintable()
    else:
        assert isinstance(value, list | dict)
