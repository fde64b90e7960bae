"""Only the connector talks to an exchange: in what services load, in Cython sources, and in the import contracts."""

import importlib.util
import re
import subprocess
import sys

import pytest

EXCHANGE_CODE = ("picows", "ccxt", "aiohttp", "opensqt.connector")
FORBIDDEN = {
    "opensqt.engine.app": (*EXCHANGE_CODE, "opensqt.live_server", "opensqt.matching", "starlette", "uvicorn"),
    "opensqt.live_server.app": (*EXCHANGE_CODE, "opensqt.engine", "opensqt.matching"),
    "opensqt.connector.app": ("opensqt.engine", "opensqt.live_server", "opensqt.sim", "starlette", "uvicorn"),
    # The venue that clients are tested against reads and writes its protocol by itself.
    "opensqt.sim.app": ("opensqt.connector", "opensqt.engine", "opensqt.live_server", "ccxt"),
}


@pytest.mark.parametrize("module", sorted(FORBIDDEN))
def test_a_service_loads_nothing_behind_another_door(module):
    code = f"import sys, {module}\nprint('\\n'.join(sys.modules))"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert result.returncode == 0, result.stderr
    loaded = result.stdout.split()
    behind = [name for name in loaded if any(name == door or name.startswith(f"{door}.") for door in FORBIDDEN[module])]
    assert behind == []


# What a kernel may use: the C library, Cython itself, its neighbours, and Python's own types.
CIMPORTS = ("cython", "libc.", "cpython", "opensqt._core")
IMPORTS = ("cython", "opensqt._core", "decimal", "enum", "re", "struct", "sys", "typing", "collections.abc")
_IMPORT = re.compile(r"^\s*(?:from\s+(\S+)\s+(c?import)\s+(\([^)]*\)|.+)|(c?import)\s+(.+))$", re.MULTILINE)


def imported(source: str) -> list[tuple[str, str]]:
    """Return (`import` or `cimport`, module) for each import statement of a Cython source."""
    found = []
    for module, from_kind, _names, plain_kind, plain in _IMPORT.findall(source):
        if module:
            found.append((from_kind, module))
        else:
            found.extend((plain_kind, name.split(" as ")[0].strip()) for name in plain.split("#")[0].split(","))
    return found


def allowed(kind: str, module: str, neighbours: set[str]) -> bool:
    doors = CIMPORTS if kind == "cimport" else IMPORTS
    return any(module == door.rstrip(".") or module.startswith(f"{door.rstrip('.')}.") for door in doors) or (
        module.startswith(".") or module in neighbours
    )


def test_cython_sources_import_only_what_kernels_may(project_root):
    sources = [path for suffix in ("*.pyx", "*.pxd", "*.pxi") for path in (project_root / "src").rglob(suffix)]
    assert sources
    broken = []
    for path in sources:
        neighbours = {other.stem for other in path.parent.glob("*.pxd")}
        for kind, module in imported(path.read_text(encoding="utf-8")):
            if not allowed(kind, module, neighbours):
                broken.append(f"{path.relative_to(project_root)}: {kind} {module}")
    assert broken == []


def test_the_scan_sees_imports_in_every_spelling():
    source = "import ccxt as c, os\nfrom picows cimport x\n  from aiohttp import (\n  a,\n b)\ncimport numpy as np\n"
    assert imported(source) == [
        ("import", "ccxt"),
        ("import", "os"),
        ("cimport", "picows"),
        ("import", "aiohttp"),
        ("cimport", "numpy"),
    ]


def test_the_import_contracts_hold(project_root, distribution, tmp_path):
    if importlib.util.find_spec("importlinter") is None:
        pytest.skip("import-linter is not installed here; `make lint` runs the contracts")
    # By this interpreter, so that it looks at the package installed for it.
    program = "import sys; from importlinter.cli import lint_imports_command; sys.exit(lint_imports_command())"
    result = subprocess.run(
        [sys.executable, "-c", program, "--config", str(project_root / "pyproject.toml"), "--no-cache"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert result.returncode == 0, result.stdout + result.stderr
