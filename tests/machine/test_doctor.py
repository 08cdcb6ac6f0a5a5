"""What doctor says of packages and of datasets that cannot be read."""

import errno
import re
import sys
from configparser import ConfigParser
from importlib import metadata
from pathlib import Path

from minisgd.disk.files import StorageError
from minisgd.machine import doctor


def test_a_package_that_is_optional_is_no_complaint_and_one_that_is_required_is(monkeypatch):
    def version(package):
        raise metadata.PackageNotFoundError(package)

    monkeypatch.setattr(metadata, "version", version)
    lines = dict(doctor.examine())
    for package, use in doctor.OPTIONAL.items():
        (line,) = (line for line in lines if line.startswith(f"  {package} "))
        assert "not installed" in line and use in line and lines[line] is None
    for package in doctor.REQUIRED:
        (line,) = (line for line in lines if line.startswith(f"  {package} "))
        assert "not installed" in line and "pip install" in lines[line]


def test_all_that_setup_cfg_requires_is_examined():
    setup = ConfigParser()
    setup.read(Path(__file__).parents[2] / "setup.cfg", encoding="utf-8")
    required = re.findall(r"^\w+", setup["options"]["install_requires"], re.M)
    assert sorted(doctor.REQUIRED) == sorted(required)


def test_the_examination_goes_on_without_threadpoolctl(monkeypatch):
    monkeypatch.setitem(sys.modules, "threadpoolctl", None)
    lines = list(dict(doctor.examine()))
    assert "BLAS        unknown: threadpoolctl, which asks it, is not installed" in lines
    assert any(line.startswith("results ") for line in lines)


def test_a_dataset_that_cannot_be_read_does_not_end_the_examination(monkeypatch):
    def status(name, data_dir):
        if name == "fashion-mnist":
            raise StorageError("cannot read clothes: Input/output error")
        raise PermissionError(errno.EACCES, "Permission denied", f"{name}/images")

    monkeypatch.setattr(doctor, "status", status)
    lines = dict(doctor.examine())
    (line,) = (line for line in lines if line.startswith("  mnist "))
    assert "cannot be read" in line and lines[line] == "Permission denied: mnist/images"
    (line,) = (line for line in lines if line.startswith("  fashion-mnist "))
    assert "cannot be read" in line and lines[line] == "cannot read clothes: Input/output error"
    assert any(line.startswith("results ") for line in lines)
