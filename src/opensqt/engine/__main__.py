"""`python -m opensqt.engine` is `opensqt-engine`."""

from opensqt.engine.app import run

run()
