"""The `opensqt` command: starts the services together, checks configuration, watches and controls what runs.

One module per command; `main` names them all and imports only the one that is asked for.
"""
