"""Plain YAML data to frozen structs, collecting every problem instead of stopping at the first.

msgspec stops at its first error, so this walks the struct's fields itself and lets msgspec check one leaf at a time.
A struct is built only when all its fields are good; its `__post_init__` then says what the fields break together.
"""

import difflib
import typing
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any, final

import msgspec

from opensqt.runtime.config_describe import describe, is_list_like, is_mapping, is_union, split_annotated
from opensqt.runtime.config_env import EnvText
from opensqt.runtime.config_problems import ConfigError, ConfigProblem
from opensqt.runtime.config_yaml import parse_yaml
from opensqt.runtime.secret import REDACTED, Secret


@final
class _Bad:
    """Stands for a value that has a problem already reported."""


BAD = _Bad()


def is_bad(value: object) -> bool:
    """Return whether `Converter.convert` reported a problem for this result."""
    return value is BAD


@final
class Converter:
    """Convert values, appending to `problems`; relative paths start at `base_dir`, the config file's folder."""

    def __init__(self, base_dir: Path) -> None:
        self.problems: list[ConfigProblem] = []
        self._base_dir = base_dir

    def convert(self, raw: object, type_: Any, path: str) -> object:
        """Return `raw` as `type_`, or a bad marker after reporting why not."""
        base, _metas = split_annotated(type_)
        if is_union(base):
            return self._union(raw, type_, base, path)
        if isinstance(base, type) and issubclass(base, msgspec.Struct):
            return self._struct(raw, base, path)
        if isinstance(raw, EnvText):
            raw = self._type_env(raw, base)
        if is_list_like(base):
            return self._list(raw, type_, base, path)
        if is_mapping(base):
            return self._mapping(raw, type_, base, path)
        return self._leaf(raw, type_, base, path)

    def report(self, path: str, value: object, rule: str, fix: str) -> _Bad:
        """Add a problem; returns the bad marker."""
        self.problems.append(ConfigProblem(path, _show(value), rule, fix))
        return BAD

    def _type_env(self, raw: EnvText, base: object) -> object:
        if base is Path:
            return str(Path.cwd() / Path(raw).expanduser()) if raw else ""
        if base in (str, Secret) or typing.get_origin(base) is typing.Literal:
            return str(raw)
        if is_list_like(base) and not raw.lstrip().startswith("["):
            return [EnvText(part.strip(), raw.variable) for part in raw.split(",")] if raw.strip() else []
        try:
            return parse_yaml(raw)
        except ConfigError:
            return str(raw)

    def _union(self, raw: object, type_: Any, base: object, path: str) -> object:
        members = [member for member in typing.get_args(base) if member is not type(None)]
        if len(members) < len(typing.get_args(base)) and (raw is None or (isinstance(raw, EnvText) and not raw)):
            return None
        if len(members) == 1:
            return self.convert(raw, members[0], path)
        structs = {
            struct.__struct_config__.tag: struct
            for struct in (split_annotated(member)[0] for member in members)
            if isinstance(struct, type) and issubclass(struct, msgspec.Struct)
        }
        if len(structs) == len(members):
            return self._tagged(raw, structs, path)
        return self._leaf(self._type_env(raw, base) if isinstance(raw, EnvText) else raw, type_, base, path)

    def _tagged(self, raw: object, structs: Mapping[Any, type[msgspec.Struct]], path: str) -> object:
        key = next(iter(structs.values())).__struct_config__.tag_field or "type"
        choices = ", ".join(str(tag) for tag in structs)
        if not isinstance(raw, dict):
            return self.report(
                path, raw, f"must be a section with `{key}`: one of {choices}", f"write `{key}: ...` below it"
            )
        tag = raw.get(key)
        tag = str(tag) if isinstance(tag, EnvText) else tag
        struct = structs.get(tag)
        if struct is None:
            return self.report(_join(path, key), tag, f"must be one of: {choices}", f"set `{key}` to one of them")
        return self._struct({name: value for name, value in raw.items() if name != key}, struct, path)

    def _struct(self, raw: object, struct: type[msgspec.Struct], path: str) -> object:
        if raw is None:
            raw = {}  # an empty section is a section with its defaults
        if not isinstance(raw, dict):
            return self.report(path, raw, f"must be {describe(struct)}", "write its keys indented below it")
        before = len(self.problems)
        fields = msgspec.structs.fields(struct)
        left = dict(raw)
        values: dict[str, object] = {}
        for field in fields:
            key = field.encode_name
            where = _join(path, key)
            if _is_secret(field.type) and f"{key}_file" in left:
                values[field.name] = self._secret_file(left.pop(f"{key}_file"), where, given=key in left)
                left.pop(key, None)
            elif key in left:
                values[field.name] = self.convert(left.pop(key), field.type, where)
            elif field.required:
                self.report(where, None, "is required", f"add `{key}:` with {describe(field.type)}")
        for key in left:
            self._unknown(path, str(key), left[key], [field.encode_name for field in fields])
        if len(self.problems) > before:
            return BAD
        try:
            return struct(**values)
        except ConfigError as error:
            self.problems.extend(problem.under(path) for problem in error.problems)
        except ValueError as error:
            self.report(path, None, str(error), "change the keys named here so that the rule holds")
        return BAD

    def _unknown(self, path: str, key: str, value: object, known: list[str]) -> None:
        close = difflib.get_close_matches(key, known, n=1)
        fix = f"rename it to `{close[0]}`" if close else f"remove it; known keys here: {', '.join(known)}"
        secretish = any(word in key for word in ("token", "secret", "password", "key"))
        self.report(_join(path, key), REDACTED if secretish else value, "is not a known key", fix)

    def _secret_file(self, raw: object, where: str, *, given: bool) -> object:
        key = f"{where}_file"
        if given:
            return self.report(key, raw, f"must not be given together with `{where}`", "keep one of the two")
        if not isinstance(raw, str) or not raw:
            return self.report(key, raw, "must be a path of a file that holds the secret", "write the file's path")
        path = self._base_dir / Path(raw).expanduser()
        try:
            text = path.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "not UTF-8 text"
            return self.report(key, raw, f"must be a readable file ({reason}: {path})", "create it or correct the path")
        if not text:
            return self.report(key, raw, "must hold the secret but is empty", f"write the secret into {path}")
        return Secret(text)

    def _list(self, raw: object, type_: Any, base: object, path: str) -> object:
        if not isinstance(raw, list):
            return self.report(path, raw, f"must be {describe(type_)}", "write one `- ` line per element")
        arguments = typing.get_args(base) or (Any,)
        origin: Any = typing.get_origin(base) or base
        if origin is tuple and Ellipsis not in arguments and typing.get_args(base):
            if len(raw) != len(arguments):
                return self.report(path, raw, f"must have {len(arguments)} elements", "add or remove elements")
            element_types: list[Any] = list(arguments)
        else:
            element_types = [arguments[0]] * len(raw)
        values = [
            self.convert(item, element_type, f"{path}[{index}]")
            for index, (item, element_type) in enumerate(zip(raw, element_types, strict=True))
        ]
        if any(value is BAD for value in values):
            return BAD
        return self._sized(origin(values), len(values), type_, path)

    def _mapping(self, raw: object, type_: Any, base: object, path: str) -> object:
        if not isinstance(raw, dict):
            return self.report(path, raw, f"must be {describe(type_)}", "write its keys indented below it")
        key_type, value_type = typing.get_args(base) or (Any, Any)
        result: dict[object, object] = {}
        for key, value in raw.items():
            where = _join(path, str(key))
            result[self.convert(str(key), key_type, where)] = self.convert(value, value_type, where)
        if any(key is BAD or value is BAD for key, value in result.items()):
            return BAD
        return self._sized(result, len(result), type_, path)

    def _sized(self, value: object, length: int, type_: Any, path: str) -> object:
        for meta in split_annotated(type_)[1]:
            if (meta.min_length is not None and length < meta.min_length) or (
                meta.max_length is not None and length > meta.max_length
            ):
                return self.report(path, f"{length} elements", f"must be {describe(type_)}", "add or remove elements")
        return value

    def _decimal(self, raw: object, type_: Any, path: str) -> object:
        # msgspec knows no bounds on Decimal, so they are checked here.
        try:
            value = Decimal(raw) if isinstance(raw, (str, int, Decimal)) and not isinstance(raw, bool) else None
        except InvalidOperation:
            value = None
        metas = split_annotated(type_)[1]
        if value is None or not value.is_finite() or not all(_within(value, meta) for meta in metas):
            return self.report(path, raw, f"must be {describe(type_)}", f"set `{path}` to {describe(type_)}")
        return value

    def _leaf(self, raw: object, type_: Any, base: object, path: str) -> object:
        if base is Secret:
            if isinstance(raw, str) and raw:
                return Secret(raw)
            return self.report(path, REDACTED, "must be a text that is not empty", "quote it, or give it by `_file`")
        if base is Path:
            if isinstance(raw, str) and raw:
                return self._base_dir / Path(raw).expanduser()
            return self.report(path, raw, "must be a path", "write the path as a text")
        if base is Decimal:
            return self._decimal(raw, type_, path)
        try:
            return msgspec.convert(raw, type_)
        except msgspec.ValidationError:
            fix = f"set `{path}` to {describe(type_)}"
            if isinstance(raw, (int, Decimal)) and not isinstance(raw, bool) and base is str:
                fix = f'put it in quotes: "{raw}"'
            return self.report(path, raw, f"must be {describe(type_)}", fix)


def _within(value: Decimal, meta: msgspec.Meta) -> bool:
    return (
        (meta.ge is None or value >= meta.ge)
        and (meta.gt is None or value > meta.gt)
        and (meta.le is None or value <= meta.le)
        and (meta.lt is None or value < meta.lt)
    )


def _is_secret(type_: object) -> bool:
    base, _metas = split_annotated(type_)
    return base is Secret or (is_union(base) and Secret in typing.get_args(base))


def _join(path: str, key: str) -> str:
    return f"{path}.{key}" if path else key


def _show(value: object) -> str:
    if value is None:
        return ""
    text = f"{value.variable}={str(value)!r}" if isinstance(value, EnvText) else repr(value)
    text = str(value) if isinstance(value, (Decimal, bool)) or value == REDACTED else text
    return text if len(text) <= 80 else f"{text[:77]}..."
