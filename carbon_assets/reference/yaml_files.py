"""YAML files whose errors name the file, the line and the field.

The source catalogue uses this, and so does every other file that a person writes: give
``load_yaml_model`` a pydantic model and the error class that the reader should see.
"""

from __future__ import annotations

import difflib
import types
from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar, Union, get_args, get_origin

import yaml
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from carbon_assets.errors import CarbonAssetsError, CatalogueError

Model = TypeVar("Model", bound=BaseModel)
Location = tuple[str | int, ...]

# Aliases let a short file describe an endless tree, so the walk over it is bounded.
MAX_FIELDS = 200_000
MAX_DEPTH = 50


@dataclass(frozen=True)
class YamlDocument:
    """The content of a YAML file with the line of each field.

    Attributes:
        path: The file, as messages shall name it.
        data: The parsed content.
        lines: 1-based line by field location, e.g. ``("versions", 0, "bands")``.
    """

    path: Path
    data: Any
    lines: Mapping[Location, int]

    def line_of(self, location: Sequence[str | int]) -> int:
        """Return the line of a field, or of its nearest parent that is in the file."""
        return self.lines.get(self.written(location), 1)

    def written(self, location: Sequence[str | int]) -> Location:
        """Return the longest start of a location that is written in the file."""
        known = tuple(location)
        while known and known not in self.lines:
            known = known[:-1]
        return known


@dataclass(frozen=True)
class Problem:
    """One thing wrong with a file.

    Attributes:
        file: The file.
        line: 1-based line.
        field: Dotted field name, empty for the file as a whole.
        message: What is wrong with it.
    """

    file: str
    line: int
    field: str
    message: str

    def __str__(self) -> str:
        field = f" {self.field}" if self.field else ""
        return f"{self.file}:{self.line}{field}: {self.message}"


def raise_problems(
    problems: Sequence[Problem], *, error: type[CarbonAssetsError], code: str, do: str | None = None
) -> None:
    """Raise one error that lists every problem; do nothing where there is none.

    Raises:
        CarbonAssetsError: Of the class given, with ``details["problems"]``.
    """
    if problems:
        raise error(
            code,
            "\n".join(str(problem) for problem in problems),
            do=do or "Correct the lines that are named.",
            details={"problems": [vars(problem) for problem in problems]},
        )


def load_yaml_model(
    path: Path,
    model: type[Model],
    *,
    error: type[CarbonAssetsError] = CatalogueError,
    code: str = "CATALOGUE_INVALID",
    context: Mapping[str, Any] | None = None,
) -> Model:
    """Read a YAML file into a pydantic model.

    Args:
        path: The file.
        model: What the file must be.
        error: Class of the error to raise.
        code: Its code.
        context: Passed to the model's validators.

    Raises:
        CarbonAssetsError: Of the class given; one ``file:line field: message`` per problem.
    """
    document = read_yaml(path, error=error, code=code)
    return validate_model(document, model, error=error, code=code, context=context)


def validate_model(
    document: YamlDocument,
    model: type[Model],
    *,
    data: Any = None,
    at: Location = (),
    error: type[CarbonAssetsError] = CatalogueError,
    code: str = "CATALOGUE_INVALID",
    context: Mapping[str, Any] | None = None,
) -> Model:
    """Validate a document, or data derived from a part of it.

    Args:
        document: Gives the file and the lines for messages.
        model: What the data must be.
        data: Validated instead of the document's whole content.
        at: Where in the document the data comes from. A field found neither there nor
            below is looked for at the top of the file.
        error: Class of the error to raise.
        code: Its code.
        context: Passed to the model's validators.

    Raises:
        CarbonAssetsError: Of the class given; one ``file:line field: message`` per problem.
    """
    content = document.data if data is None else data
    try:
        return model.model_validate(content, context=dict(context) if context else None)
    except ValidationError as invalid:
        problems = [_problem(item, document, model, at) for item in invalid.errors()]
    raise_problems(problems, error=error, code=code)
    raise AssertionError("a ValidationError lists at least one problem")


def read_yaml(
    path: Path, *, error: type[CarbonAssetsError] = CatalogueError, code: str = "CATALOGUE_INVALID"
) -> YamlDocument:
    """Read a YAML file, keeping the line of each field.

    Raises:
        CarbonAssetsError: Of the class given, for a missing or unreadable file, broken
            YAML, a key given twice, or a file of unreasonable size.
    """
    try:
        loader = yaml.SafeLoader(path.read_text(encoding="utf-8"))
        node = loader.get_single_node()
        lines, problems = _walk(node, str(path))
        raise_problems(problems, error=error, code=code)
        data = loader.construct_document(node) if node is not None else None
    except (OSError, UnicodeDecodeError) as unreadable:
        raise error(code, f"{path}: cannot be read: {unreadable}") from unreadable
    except yaml.YAMLError as broken:
        raise_problems([_syntax_problem(broken, path)], error=error, code=code)
    return YamlDocument(path, data, lines)


def suggestion(word: object, choices: Sequence[str]) -> str:
    """Return ``; did you mean 'x'?`` for a near miss, else the list of choices."""
    near = difflib.get_close_matches(str(word), choices, n=1)
    if near:
        return f"; did you mean '{near[0]}'?"
    return f"; known: {', '.join(sorted(choices))}" if choices else ""


def _walk(root: yaml.Node | None, file: str) -> tuple[dict[Location, int], list[Problem]]:
    lines: dict[Location, int] = {}
    problems: list[Problem] = []
    stack: list[tuple[Location, yaml.Node, int]] = [((), root, 1)] if root is not None else []
    while stack:
        location, node, line = stack.pop()
        lines[location] = line
        if len(lines) > MAX_FIELDS or len(location) > MAX_DEPTH:
            limit = f"more than {MAX_FIELDS} fields or {MAX_DEPTH} levels"
            return lines, [Problem(file, line, "", limit)]
        for step, child, child_line in _children(node):
            if isinstance(node, yaml.MappingNode) and (*location, step) in lines:
                problems.append(
                    Problem(file, child_line, _dotted((*location, step)), "given twice")
                )
            lines[(*location, step)] = child_line
            stack.append(((*location, step), child, child_line))
    return lines, problems


def _children(node: yaml.Node) -> Iterator[tuple[str | int, yaml.Node, int]]:
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if isinstance(key.value, Hashable) and key.tag != "tag:yaml.org,2002:merge":
                yield str(key.value), value, key.start_mark.line + 1
    elif isinstance(node, yaml.SequenceNode):
        for index, item in enumerate(node.value):
            yield index, item, item.start_mark.line + 1


def _syntax_problem(broken: yaml.YAMLError, path: Path) -> Problem:
    if isinstance(broken, yaml.MarkedYAMLError):
        mark = broken.problem_mark or broken.context_mark
        reasons = [text for text in (broken.context, broken.problem) if text]
        return Problem(
            str(path), mark.line + 1 if mark else 1, "", f"not YAML: {' '.join(reasons)}"
        )
    return Problem(str(path), 1, "", f"not YAML: {broken}")


def _problem(
    item: ErrorDetails, document: YamlDocument, model: type[BaseModel], at: Location
) -> Problem:
    location = item["loc"]
    full = (*at, *location)
    if at and len(document.written(full)) <= len(at) and document.written(location):
        full = location
    field = document.written(full)
    if item["type"] == "missing":
        field = (*field, location[-1])
    message = _message(item, model)
    return Problem(str(document.path), document.line_of(full), _dotted(field), message)


def _message(item: ErrorDetails, model: type[BaseModel]) -> str:
    if item["type"] == "extra_forbidden":
        known = sorted(set(_field_names(model, item["loc"][:-1])))
        return f"unknown key{suggestion(item['loc'][-1], known)}"
    if item["type"] == "missing":
        return "is required"
    if item["type"] == "model_type":
        return "must be a mapping of keys to values"
    message = item["msg"].removeprefix("Value error, ")
    given = item["input"]
    if item["type"] == "string_type" and isinstance(given, int | float):
        return f'{message}: write "{given}" in quotes'
    shown = isinstance(given, str | int | float) or given is None
    return f"{message} (given: {given!r})" if shown else message


def _field_names(annotation: Any, location: Sequence[str | int]) -> Iterator[str]:
    """Yield the keys that a model allows at a location, through lists, mappings and unions."""
    origin = get_origin(annotation)
    if origin in (Union, types.UnionType):
        for option in get_args(annotation):
            yield from _field_names(option, location)
    elif origin is not None and issubclass(origin, Sequence | Mapping):
        for item in get_args(annotation)[-1 if issubclass(origin, Mapping) else 0 :]:
            yield from _field_names(item, location[1:])
    elif isinstance(annotation, type) and issubclass(annotation, BaseModel):
        if not location:
            yield from (info.alias or name for name, info in annotation.model_fields.items())
        elif (field := annotation.model_fields.get(str(location[0]))) is not None:
            yield from _field_names(field.annotation, location[1:])


def _dotted(location: Sequence[str | int]) -> str:
    return ".".join(str(step) for step in location)
