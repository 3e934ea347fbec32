"""Fields of settings by the names that users write, and one sentence for each mistake in them."""

import re
from difflib import get_close_matches
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError

# What pydantic calls an error of a value that is not of a type at all.
_OTHER_FORM = re.compile(r"(_type|_parsing|^literal_error)$")


def by_name(model: type[BaseModel], prefix: str = "") -> dict[str, Any]:
    """Maps every `section.key` of a model to its pydantic field, nested sections included."""
    found: dict[str, Any] = {}
    for key, field in model.model_fields.items():
        name = f"{prefix}{field.alias or key}"
        annotation = field.annotation
        if isinstance(annotation, type) and issubclass(annotation, BaseModel):
            found |= by_name(annotation, f"{name}.")
        else:
            found[name] = field
    return found


def sentences(error: ValidationError, model: type[BaseModel]) -> list[str]:
    """What is wrong with the values that a model was to be made of, a sentence for each mistake."""
    return [_sentence(one, model) for one in _mistakes(error, model)]


def first_reason(error: ValidationError, model: type[BaseModel]) -> str:
    """What is wrong with the first of them, to follow the name of a setting and a colon."""
    return _reason(_mistakes(error, model)[0])


def _mistakes(error: ValidationError, model: type[BaseModel]) -> list[dict[str, Any]]:
    """Details as pydantic gives them, one for each mistake.

    Of a setting that may have one of several types pydantic tells what each of them lacks, under
    the setting's name and the type's.
    """
    unions = {name for name, field in by_name(model).items() if _is_union(field.annotation)}
    by_setting: dict[str, list[dict[str, Any]]] = {}
    for one in error.errors():
        loc = one["loc"]
        end = next((i for i in range(1, len(loc)) if _name(loc[:i]) in unions), len(loc))
        mistake = {**one, "loc": loc[:end] + loc[end + 1 :]}
        by_setting.setdefault(_name(loc[:end]), []).append(mistake)
    return [one for mistakes in by_setting.values() for one in _nearest(mistakes)]


def _nearest(mistakes: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Those of the types whose form the value has, or, if it has none's, one that tells all."""
    depth = min(len(one["loc"]) for one in mistakes)
    near = [
        one for one in mistakes if len(one["loc"]) > depth or not _OTHER_FORM.search(one["type"])
    ]
    said = [one["msg"].removeprefix("Input should be ") for one in mistakes]
    return near or [mistakes[0] | {"msg": f"Input should be {', or '.join(said)}"}]


def _is_union(annotation: Any) -> bool:
    members = get_args(annotation) if get_origin(annotation) in (Union, UnionType) else ()
    return len(set(members) - {NoneType}) > 1


def _name(loc: tuple[str | int, ...]) -> str:
    return ".".join(str(part) for part in loc)


def _sentence(mistake: dict[str, Any], model: type[BaseModel]) -> str:
    name = _name(mistake["loc"])
    if mistake["type"] == "extra_forbidden":
        sections = (field.alias or key for key, field in model.model_fields.items())
        close = get_close_matches(name, [*by_name(model), *sections], n=1, cutoff=0.5)
        hint = f"did you mean {close[0]}?" if close else "`--settings` lists all of them."
        return f"There is no setting {name}; {hint}"
    if mistake["type"] == "value_error":
        return f"{_reason(mistake)}."
    return f"The setting {name} can't be {mistake['input']!r}: {_reason(mistake)}."


def _reason(mistake: dict[str, Any]) -> str:
    if mistake["type"] == "value_error":
        return str(mistake["msg"].removeprefix("Value error, "))
    return str(mistake["msg"][0].lower() + mistake["msg"][1:])
