"""YAML as people expect it: the 1.2 core scalars, exact decimals, duplicate keys refused.

PyYAML speaks YAML 1.1, where `no` is false, `12:30` is 750, `010` is 8 and `1e-5` is a text. Here only `true`
and `false` are booleans, only decimal digits are integers, and numbers with a fraction become `Decimal` from their own
digits, so that a price never passes through a float.
"""

import re
from decimal import Decimal
from typing import final

import yaml

from opensqt.runtime.config_problems import ConfigError


@final
class _Loader(yaml.SafeLoader):
    """The safe loader with its implicit scalars replaced below."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012  PyYAML's own class attribute


def _construct_decimal(_loader: _Loader, node: yaml.ScalarNode) -> Decimal:
    return Decimal(node.value)


def _construct_mapping(loader: _Loader, node: yaml.MappingNode) -> dict[object, object]:
    seen: set[object] = set()
    for key_node, _value in node.value:
        key = loader.construct_object(key_node, deep=True)
        if not isinstance(key, (str, int, Decimal)):
            raise yaml.constructor.ConstructorError(None, None, "a key must be a plain text", key_node.start_mark)
        if key in seen:
            raise yaml.constructor.ConstructorError(None, None, f"the key {key!r} is given twice", key_node.start_mark)
        seen.add(key)
    return loader.construct_mapping(node, deep=True)


_SCALARS = (
    ("tag:yaml.org,2002:bool", r"^(?:true|True|TRUE|false|False|FALSE)$", "tTfF"),
    ("tag:yaml.org,2002:int", r"^[-+]?[0-9]+$", "-+0123456789"),
    ("tag:yaml.org,2002:float", r"^[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?$", "-+0123456789."),
    ("tag:yaml.org,2002:null", r"^(?:~|null|Null|NULL|)$", "~nN\0"),
)

for _tag, _pattern, _first in _SCALARS:
    _Loader.add_implicit_resolver(_tag, re.compile(_pattern), [*_first, *([""] if "\0" in _first else [])])
_Loader.add_constructor("tag:yaml.org,2002:float", _construct_decimal)
_Loader.add_constructor("tag:yaml.org,2002:int", lambda _loader, node: int(node.value, 10))
_Loader.add_constructor("tag:yaml.org,2002:map", _construct_mapping)


def parse_yaml(text: str, *, source: str = "") -> object:
    """Return the document as dicts, lists, str, int, bool, None and Decimal.

    Raises ConfigError with line and column when the text is not YAML or holds a key twice.
    """
    try:
        return yaml.load(text, Loader=_Loader)  # noqa: S506  a SafeLoader subclass
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f"line {mark.line + 1}, column {mark.column + 1}" if mark is not None else ""
        what = error.problem or error.context or "the text is not YAML"
        problem = ConfigError.single("", where, f"the file must be valid YAML: {what}", "correct that line").problems
        raise ConfigError(problem, source=source) from None
    except yaml.YAMLError as error:  # undecodable characters
        problem = ConfigError.single("", "", f"the file must be valid YAML: {error}", "save it as UTF-8 text").problems
        raise ConfigError(problem, source=source) from None
