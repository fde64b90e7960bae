"""No recorded payload is left out."""

from pathlib import Path

ABOUT_THE_FOLDER = {"MANIFEST.json", "SOURCES.md"}


def test_every_payload_file_is_read_by_a_test(payloads: Path) -> None:
    tests = "".join(path.read_text() for path in Path(__file__).parent.glob("test_*.py"))

    files = {path.name for path in payloads.iterdir()} - ABOUT_THE_FOLDER

    assert len(files) > 130
    assert not {name for name in files if f'"{name}"' not in tests}
