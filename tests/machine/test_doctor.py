"""What doctor says of packages and of datasets that cannot be read."""

import errno
from importlib import metadata

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
        (line,) = (line for line in lines if line.startswith(f"{package} "))
        assert "not installed" in line and "pip install" in lines[line]


def test_a_dataset_that_cannot_be_read_does_not_end_the_examination(monkeypatch):
    def status(name, data_dir):
        raise PermissionError(errno.EACCES, "Permission denied", f"{name}/images")

    monkeypatch.setattr(doctor, "status", status)
    lines = dict(doctor.examine())
    (line,) = (line for line in lines if line.startswith("  mnist "))
    assert "cannot be read" in line and lines[line] == "Permission denied: mnist/images"
    assert any(line.startswith("results ") for line in lines)
