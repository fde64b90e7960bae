"""A type as a sentence: what a value must be, from the annotation and its bounds."""

import enum
import types
import typing
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path

import msgspec

from opensqt.runtime.secret import Secret

_PLAIN: dict[object, str] = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    Decimal: "a decimal number",
    str: "a text",
    Path: "a path",
    Secret: "a text",
    type(None): "null",
}
_LISTS = (list, tuple, set, frozenset)


def split_annotated(type_: object) -> tuple[object, tuple[msgspec.Meta, ...]]:
    """Return the bare type and its `msgspec.Meta` bounds."""
    if typing.get_origin(type_) is typing.Annotated:
        base, *extras = typing.get_args(type_)
        return base, tuple(extra for extra in extras if isinstance(extra, msgspec.Meta))
    return type_, ()


def is_union(type_: object) -> bool:
    """Return whether the type is `A | B`, in either spelling."""
    return typing.get_origin(type_) in (typing.Union, types.UnionType)


def is_list_like(type_: object) -> bool:
    """Return whether the type is written as a YAML list."""
    return type_ in _LISTS or typing.get_origin(type_) in _LISTS


def is_mapping(type_: object) -> bool:
    """Return whether the type is a mapping with free keys."""
    return type_ is dict or typing.get_origin(type_) in (dict, Mapping)


def describe(type_: object) -> str:
    """Return what a value of this type must be, for example `a whole number from 1 to 65535`."""
    base, metas = split_annotated(type_)
    text = _describe_base(base)
    for meta in metas:
        text += _bounds(meta)
    return text


def _describe_base(base: object) -> str:
    if base in _PLAIN:
        return _PLAIN[base]
    if is_union(base):
        return " or ".join(describe(member) for member in typing.get_args(base))
    if typing.get_origin(base) is typing.Literal:
        return "one of: " + ", ".join(str(choice) for choice in typing.get_args(base))
    if is_list_like(base):
        members = [member for member in typing.get_args(base) if member is not Ellipsis]
        return "a list" + (f" of {describe(members[0])}" if members else "")
    if isinstance(base, type) and issubclass(base, enum.Enum):
        return "one of: " + ", ".join(str(member.value) for member in base)
    if isinstance(base, type) and issubclass(base, msgspec.Struct):
        return "a section with keys: " + ", ".join(base.__struct_encode_fields__)
    if is_mapping(base):
        return "a section"
    return f"a {getattr(base, '__name__', base)}"


def _bounds(meta: msgspec.Meta) -> str:
    parts = []
    high = "" if meta.le is None else f"at most {meta.le}"
    high = f"below {meta.lt}" if meta.lt is not None else high
    if meta.ge is not None and meta.le is not None:
        parts.append(f"from {meta.ge} to {meta.le}")
    elif meta.ge is not None:
        parts.append(f"of at least {meta.ge}" + (f" and {high}" if high else ""))
    elif meta.gt is not None:
        parts.append(f"greater than {meta.gt}" + (f" and {high}" if high else ""))
    elif high:
        parts.append(f"of {high}" if meta.le is not None else high)
    if meta.min_length is not None:
        parts.append(f"with at least {meta.min_length} element{'' if meta.min_length == 1 else 's'}")
    if meta.max_length is not None:
        parts.append(f"with at most {meta.max_length} elements")
    if meta.pattern is not None:
        parts.append(f"matching {meta.pattern}")
    if meta.multiple_of is not None:
        parts.append(f"that is a multiple of {meta.multiple_of}")
    return " " + " ".join(parts) if parts else ""
