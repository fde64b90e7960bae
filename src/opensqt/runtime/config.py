"""Load a service's configuration: YAML file, environment over it, secrets from files, every problem at once.

    config = load_config(Path("engine.yaml"), EngineConfig, env=os.environ)

A service's config is a frozen `msgspec.Struct` whose fields carry their bounds. `load_config` reads the file, lays
`OPENSQT_SECTION__KEY` variables over it, reads `token_file: path` where a field is a `Secret` named `token`, and raises
one ConfigError that lists all problems, each with path, value, rule and fix. Relative paths start at the config file's
folder; those from the environment at the working directory.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import TypeVar, cast

import msgspec

from opensqt.runtime.config_convert import Converter, is_bad
from opensqt.runtime.config_env import overlay
from opensqt.runtime.config_problems import EXIT_CONFIG, ConfigError, ConfigProblem
from opensqt.runtime.config_types import (
    ClientTlsConfig,
    GrpcClientConfig,
    GrpcServerConfig,
    LogConfig,
    MetricsConfig,
    Port,
    Role,
    TlsConfig,
    TokenConfig,
    is_loopback,
)
from opensqt.runtime.config_yaml import parse_yaml
from opensqt.runtime.secret import Secret

T = TypeVar("T", bound=msgspec.Struct)

__all__ = [
    "EXIT_CONFIG",
    "ClientTlsConfig",
    "ConfigError",
    "ConfigProblem",
    "GrpcClientConfig",
    "GrpcServerConfig",
    "LogConfig",
    "MetricsConfig",
    "Port",
    "Role",
    "Secret",
    "TlsConfig",
    "TokenConfig",
    "convert_config",
    "is_loopback",
    "load_config",
    "read_document",
]


def load_config(path: Path, type_: type[T], *, env: Mapping[str, str], prefix: str = "OPENSQT") -> T:
    """Return the configuration in `path` with the environment laid over it.

    Raises ConfigError with every problem found, also when the file is missing or is not YAML.
    """
    document = read_document(path)
    return convert_config(document, type_, env=env, prefix=prefix, source=str(path), base_dir=path.absolute().parent)


def read_document(path: Path) -> dict[str, object]:
    """Return the YAML mapping in a file, an empty one for an empty file. Raises ConfigError."""
    source = str(path)
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        problem = ConfigProblem("", source, "the config file does not exist", "correct the path")
        raise ConfigError([problem], source=source) from None
    except (OSError, UnicodeDecodeError) as error:
        reason = (error.strerror or str(error)) if isinstance(error, OSError) else "not UTF-8 text"
        problem = ConfigProblem("", source, f"the config file cannot be read: {reason}", "correct the file")
        raise ConfigError([problem], source=source) from None
    document = parse_yaml(text, source=source)
    if document is None:
        return {}
    if not isinstance(document, dict):
        problem = ConfigProblem("", "", "the file must be a mapping of keys", "write `key: value` lines")
        raise ConfigError([problem], source=source)
    return cast("dict[str, object]", document)


def convert_config(
    document: dict[str, object],
    type_: type[T],
    *,
    env: Mapping[str, str],
    prefix: str = "OPENSQT",
    source: str = "",
    base_dir: Path,
) -> T:
    """Return a document that was read already as `type_`. Raises ConfigError with every problem."""
    converter = Converter(base_dir)
    converter.problems.extend(overlay(document, env, prefix=prefix, top_level=type_.__struct_encode_fields__))
    config = converter.convert(document, type_, "")
    if converter.problems or is_bad(config):
        raise ConfigError(converter.problems, source=source)
    return cast("T", config)
