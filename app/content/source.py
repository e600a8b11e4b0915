"""Read YAML that authors wrote and turn every fault into `path:line: what`.

Safe by construction: no tags but the plain ones, no aliases, no duplicate keys, size capped.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from app.errors import ContentInvalid, Problem

MAX_YAML_BYTES = 512 * 1024
Model = TypeVar("Model", bound=BaseModel)
Loc = tuple[str | int, ...]


class YamlSource:
    """A YAML mapping together with the line of every key.

    Attributes:
        data: plain Python values.
    """

    def __init__(self, text: str, path: str, first_line: int = 1) -> None:
        """Parse `text`; `first_line` is where it begins in `path` (front matter begins at 2).

        Raises:
            ContentInvalid: not YAML, not a mapping, too large, an alias, a tag or a duplicate key.
        """
        self.path = path
        self._lines: dict[Loc, int] = {}
        self._shift = first_line - 1
        self._faults: list[Problem] = []
        if len(text.encode()) > MAX_YAML_BYTES:
            raise ContentInvalid([Problem(path, first_line, f"larger than {MAX_YAML_BYTES // 1024} KiB", "split it")])
        try:
            for token in yaml.scan(text):
                if isinstance(token, (yaml.AliasToken, yaml.AnchorToken)):
                    line = token.start_mark.line + first_line
                    raise ContentInvalid([Problem(path, line, "YAML anchors and aliases are not allowed", "write it out")])
            node = yaml.compose(text, Loader=yaml.SafeLoader)
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            line = (mark.line if mark else 0) + first_line
            raise ContentInvalid(
                [Problem(path, line, f"not valid YAML: {error.problem}", "check indentation and quotes")]
            ) from error
        except (yaml.YAMLError, RecursionError) as error:
            raise ContentInvalid([Problem(path, first_line, f"not valid YAML: {error}")]) from error
        if not isinstance(node, yaml.MappingNode):
            raise ContentInvalid([Problem(path, first_line, "must be a mapping of keys to values")])
        loader = yaml.SafeLoader("")
        try:
            self.data: dict[str, Any] = self._value(node, (), loader)
        finally:
            loader.dispose()
        if self._faults:
            raise ContentInvalid(self._faults)

    def _value(self, node: yaml.Node, loc: Loc, loader: yaml.SafeLoader) -> Any:
        self._lines[loc] = node.start_mark.line + 1 + self._shift
        if isinstance(node, yaml.MappingNode):
            result: dict[str, Any] = {}
            for key_node, value_node in node.value:
                key = str(key_node.value)
                if key in result:
                    self._faults.append(
                        Problem(self.path, key_node.start_mark.line + 1 + self._shift, f"key `{key}` appears twice")
                    )
                result[key] = self._value(value_node, (*loc, key), loader)
                self._lines[(*loc, key)] = key_node.start_mark.line + 1 + self._shift
            return result
        if isinstance(node, yaml.SequenceNode):
            return [self._value(item, (*loc, index), loader) for index, item in enumerate(node.value)]
        if not node.tag.startswith("tag:yaml.org,2002:") or node.tag.startswith("tag:yaml.org,2002:python"):
            self._faults.append(Problem(self.path, self._lines[loc], f"YAML tag {node.tag} is not allowed"))
            return None
        try:
            return loader.construct_object(node, deep=True)
        except (yaml.YAMLError, ValueError) as error:
            self._faults.append(Problem(self.path, self._lines[loc], f"cannot read this value: {error}"))
            return None

    def line(self, loc: Loc) -> int:
        """Line of the value at `loc`, or of its nearest parent."""
        while loc and loc not in self._lines:
            loc = loc[:-1]
        return self._lines.get(loc, 1 + self._shift)

    def problem(self, loc: Loc, what: str, cure: str = "") -> Problem:
        """A problem at the line of `loc`."""
        return Problem(self.path, self.line(loc), what, cure)

    def parse(self, model: type[Model]) -> Model:
        """Validate against a pydantic model.

        Raises:
            ContentInvalid: with every fault, unknown keys included.
        """
        try:
            return model.model_validate(self.data)
        except ValidationError as error:
            raise ContentInvalid([self._translate(item) for item in error.errors()]) from error

    def _translate(self, item: Any) -> Problem:
        loc: Loc = tuple(item["loc"])
        dotted = ".".join(str(part) for part in item["loc"]) or "the file"
        if item["type"] == "extra_forbidden":
            return self.problem(loc, f"unknown key `{dotted}`", "remove it or check its spelling")
        if item["type"] == "missing":
            return self.problem(loc[:-1], f"`{dotted}` is missing", "add it")
        return self.problem(loc, f"`{dotted}`: {item['msg'].removeprefix('Value error, ')}")


def read_yaml(path: Path, shown: str | None = None) -> YamlSource:
    """Read a YAML file.

    Args:
        path: the file.
        shown: path used in messages (relative to the course); the file's own by default.

    Raises:
        ContentInvalid: missing, not UTF-8, or as `YamlSource`.
    """
    shown = shown or str(path)
    try:
        return YamlSource(path.read_text("utf-8-sig"), shown)
    except FileNotFoundError as error:
        raise ContentInvalid([Problem(shown, 1, "the file is missing", "create it")]) from error
    except UnicodeDecodeError as error:
        raise ContentInvalid([Problem(shown, 1, "not UTF-8 text", "save it as UTF-8")]) from error
