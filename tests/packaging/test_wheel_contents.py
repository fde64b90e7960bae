"""What the wheel carries, and what it must not."""

import re
from importlib import metadata
from pathlib import Path, PurePosixPath

import pytest

KERNEL_SUFFIXES = (".so", ".pyd")


def names(files: set[PurePosixPath], folder: str) -> set[str]:
    return {file.name for file in files if str(file.parent) == folder}


def test_the_page_is_inside(installed_files):
    static = {str(file) for file in installed_files if str(file).startswith("opensqt/live_server/static/")}
    assert "opensqt/live_server/static/index.html" in static
    assert any(re.search(r"/assets/.+\.js$", name) for name in static)
    assert any(re.search(r"/assets/.+\.css$", name) for name in static)


def test_it_says_that_it_is_typed(installed_files):
    assert PurePosixPath("opensqt/py.typed") in installed_files


def test_every_kernel_comes_compiled_and_with_its_stub(installed_files, project_root):
    sources = {path.relative_to(project_root / "src").with_suffix("") for path in (project_root / "src").rglob("*.pyx")}
    assert sources
    for source in sorted(sources):
        stem = source.name
        folder = {file for file in installed_files if file.parent == PurePosixPath(source.parent.as_posix())}
        assert any(file.name.split(".")[0] == stem and file.suffix in KERNEL_SUFFIXES for file in folder), source
        assert PurePosixPath(f"{source.as_posix()}.pyi") in folder, source


def test_the_generated_messages_are_inside_with_their_stubs(installed_files, project_root):
    protos = list((project_root / "proto").rglob("*.proto"))
    assert protos
    for proto in protos:
        for suffix in ("_pb2.py", "_pb2.pyi"):
            assert PurePosixPath("opensqt/proto") / f"{proto.stem}{suffix}" in installed_files
    for service in ("exchange", "engine"):
        for suffix in ("_pb2_grpc.py", "_pb2_grpc.pyi"):
            assert PurePosixPath("opensqt/proto") / f"{service}{suffix}" in installed_files


def test_no_sources_tests_or_build_files_leak_into_it(installed_files):
    leaked = [
        str(file)
        for file in installed_files
        if file.suffix in {".pyx", ".c", ".cpp", ".proto", ".ts", ".tsx", ".map"}
        or file.name == "CMakeLists.txt"
        or file.parts[0] in {"tests", "bench", "web", "proto", "src", "examples"}
        or "node_modules" in file.parts
    ]
    assert leaked == []


def test_nothing_is_installed_outside_the_package(installed_files):
    homes = {file.parts[0] for file in installed_files if file.parts[0] != ".."}
    assert all(home == "opensqt" or home.startswith("opensqt-") for home in homes), homes
    outside = {file.name for file in installed_files if file.parts[0] == ".."}
    programs = {"opensqt", "opensqt-connector", "opensqt-engine", "opensqt-live-server", "opensqt-sim"}
    assert outside <= programs


def test_the_licence_is_mit_and_inside(distribution, installed_files):
    assert distribution.metadata["License-Expression"] == "MIT"
    licences = [file for file in installed_files if file.name == "LICENSE"]
    assert len(licences) == 1
    assert "Permission is hereby granted" in Path(str(distribution.locate_file(licences[0]))).read_text()


def requirements(distribution: metadata.Distribution, extra: str | None) -> set[str]:
    """Return the names required with an extra, or without any."""
    found = set()
    for line in distribution.requires or ():
        name = re.split(r"[\s<>=!~;\[]", line, maxsplit=1)[0].lower()
        marker = re.search(r"extra\s*==\s*['\"]([^'\"]+)['\"]", line)
        if (marker.group(1) if marker else None) == extra:
            found.add(name)
    return found


EXCHANGE_LIBRARIES = {"ccxt", "picows", "aiohttp", "requests", "httpx", "websocket-client"}


@pytest.mark.parametrize("extra", [None, "engine", "live-server", "cli"])
def test_only_the_connectors_extra_may_bring_an_exchange_library(distribution, extra):
    assert requirements(distribution, extra) & EXCHANGE_LIBRARIES == set()


def test_extras_are_split_by_service(distribution):
    extras = set(distribution.metadata.get_all("Provides-Extra") or ())
    assert {"connector", "engine", "live-server", "cli", "all"} <= extras
    assert "starlette" in requirements(distribution, "live-server")
    assert "starlette" not in requirements(distribution, None)


def test_it_asks_for_python_3_11(distribution):
    assert distribution.metadata["Requires-Python"] == ">=3.11"
