"""Coverage-guided fuzz targets (atheris): `python -m fuzz TARGET --seconds 60`, `python -m fuzz --list`.

A target is a function of bytes that returns for every input, or raises only what its code documents and the target
catches; anything else is a finding. The input that made it is left in the working folder as `crash-...`.
"""
