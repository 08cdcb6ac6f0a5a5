"""What doctor says of packages."""

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
