"""What in a newer contract breaks those who keep to an older one.

A request that was taken must still be taken, and mean the same: its schema may only grow. An answer must still be what
its schema said: it may gain members and words, and lose none. So schemas are compared in one of two directions.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

Schema = Any
"""An object of JSON Schema, or a truth value."""
TYPES: Final = frozenset({"null", "boolean", "integer", "number", "string", "array", "object"})
LOWER: Final = ("minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties")
UPPER: Final = ("maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties")
SAME: Final = ("pattern", "format", "multipleOf", "uniqueItems", "contentEncoding", "contentMediaType")


def breaks(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """Compare two contracts as `release.contract` makes them; gives a sentence for each thing that breaks somebody."""
    found = list(_paths(old["openapi"], new["openapi"]))
    found += _table("problem code", old["codes"], new["codes"])
    for op, defaults in old["defaults"].items():
        found += _table(f"default of {op}'s field", defaults, new["defaults"].get(op, {}))
    found += _table("preset", old["presets"], new["presets"])
    for name, labels in old["metrics"].items():
        if name not in new["metrics"]:
            found.append(f"metric {name} is gone")
        elif labels != new["metrics"][name]:
            found.append(f"metric {name} had the labels {labels}, and has {new['metrics'][name]}")
    compared = _Comparison({}, {})
    found += [
        fault.replace("settings/", "setting ") for fault in compared.taken(old["settings"], new["settings"], "settings")
    ]
    return found


def _table(what: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[str]:
    """No name may go, or stand for something else."""
    for name, value in old.items():
        if name not in new:
            yield f"{what} {name} is gone"
        elif new[name] != value:
            yield f"{what} {name} was {json.dumps(value)}, and is {json.dumps(new[name])}"


def _paths(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[str]:
    compared = _Comparison(old, new)
    for path, methods in old["paths"].items():
        for method, operation in methods.items():
            place = f"{method.upper()} {path}"
            later = new["paths"].get(path, {}).get(method)
            if later is None:
                yield f"{place} is gone"
                continue
            if operation.get("operationId") != later.get("operationId"):
                yield f"{place} was named {operation.get('operationId')}, and is {later.get('operationId')}"
            if {} in _security(operation, old) and {} not in _security(later, new):
                yield f"{place} needs a key"
            yield from compared.parameters(operation, later, place)
            yield from compared.bodies(operation, later, place)
            yield from compared.answers(operation, later, place)


def _security(operation: Mapping[str, Any], document: Mapping[str, Any]) -> list[Any]:
    found: list[Any] = operation.get("security", document.get("security", [{}])) or [{}]
    return found


class _Comparison:
    """Two documents, whose references lead into each of them."""

    def __init__(self, old: Mapping[str, Any], new: Mapping[str, Any]) -> None:
        self._old, self._new = old, new
        self._fits: set[tuple[str, str]] = set()
        bodies = [
            method.get("requestBody", {}) for methods in old.get("paths", {}).values() for method in methods.values()
        ]
        self._sent = _reached(bodies, old)

    def parameters(self, old: Mapping[str, Any], new: Mapping[str, Any], place: str) -> Iterator[str]:
        was = {(p["in"], p["name"]): p for p in map(self._of_old, old.get("parameters", ()))}
        now = {(p["in"], p["name"]): p for p in map(self._of_new, new.get("parameters", ()))}
        for key, parameter in now.items():
            if parameter.get("required") and not was.get(key, {}).get("required"):
                yield f"{place} requires the parameter {key[1]}"
        for key, parameter in was.items():
            if key not in now:
                yield f"{place} has lost the parameter {key[1]}"
            else:
                yield from self.taken(parameter.get("schema", {}), now[key].get("schema", {}), f"{place} {key[1]}")

    def bodies(self, old: Mapping[str, Any], new: Mapping[str, Any], place: str) -> Iterator[str]:
        was, now = self._of_old(old.get("requestBody", {})), self._of_new(new.get("requestBody", {}))
        if now.get("required") and not was.get("required"):
            yield f"{place} requires a body"
        for kind, content in was.get("content", {}).items():
            if kind not in now.get("content", {}):
                yield f"{place} no longer takes {kind}"
            else:
                yield from self.taken(
                    content.get("schema", {}), now["content"][kind].get("schema", {}), f"{place} {kind}"
                )

    def answers(self, old: Mapping[str, Any], new: Mapping[str, Any], place: str) -> Iterator[str]:
        for status, answer in old.get("responses", {}).items():
            was, now = self._of_old(answer), self._of_new(new.get("responses", {}).get(status, {}))
            if not now:
                yield f"{place} no longer answers {status}"
                continue
            for header in was.get("headers", {}).keys() - now.get("headers", {}).keys():
                yield f"{place} {status} has lost the header {header}"
            for kind, content in was.get("content", {}).items():
                if kind not in now.get("content", {}):
                    yield f"{place} {status} no longer gives {kind}"
                else:
                    later = now["content"][kind].get("schema", {})
                    yield from self.given(content.get("schema", {}), later, f"{place} {status}")

    def taken(self, old: Schema, new: Schema, place: str) -> list[str]:
        """Say what the older schema takes and the newer does not."""
        return self._compared(old, new, place, self._taken)

    def given(self, old: Schema, new: Schema, place: str) -> list[str]:
        """Say what the older schema promises of an answer and the newer does not.

        A spec that the service shows may say whatever a spec may say: it is held to what requests are.
        """
        if _reference(old) in self._sent:
            return []
        return self._compared(old, new, place, self._given)

    def _compared(
        self, old: Schema, new: Schema, place: str, compare: Callable[[Any, Any, str], Iterator[str]]
    ) -> list[str]:
        """Follow references on both sides; two that fit, or are being compared further out, are no other case."""
        key = (compare.__name__ + _reference(old), _reference(new))
        if _reference(old) and key in self._fits:
            return []
        self._fits.add(key)
        found = list(compare(_plain(self._of_old(old)), _plain(self._of_new(new)), place))
        if found:
            self._fits.discard(key)
        return found

    def _taken(self, old: dict[str, Any], new: dict[str, Any], place: str) -> Iterator[str]:
        if not new:
            return
        if "anyOf" in old or "anyOf" in new:
            yield from self._each(old, new, place, self.taken)
            if not ("anyOf" in old and "anyOf" in new):
                return
        if lost := _types(old) - _types(new):
            yield f"{place} no longer takes {_listed(lost)}"
            return
        yield from _words(old, new, place, "no longer takes")
        if "enum" in new and "enum" not in old:
            yield f"{place} takes {json.dumps(new['enum'])} alone"
        yield from _bounds(old, new, place)
        if json.dumps(old.get("default")) != json.dumps(new.get("default")):
            yield f"{place} was {json.dumps(old.get('default'))} by default, and is {json.dumps(new.get('default'))}"
        if "items" in new:
            yield from self.taken(old.get("items", {}), new["items"], f"{place}/*")
        yield from self._members_taken(old, new, place)

    def _members_taken(self, old: dict[str, Any], new: dict[str, Any], place: str) -> Iterator[str]:
        others = new.get("additionalProperties", {})
        for name in sorted(set(new.get("required", ())) - set(old.get("required", ()))):
            yield f"{place}/{name} is required"
        for name, schema in old.get("properties", {}).items():
            if name in new.get("properties", {}):
                yield from self.taken(schema, new["properties"][name], f"{place}/{name}")
            elif others is False:
                yield f"{place}/{name} is gone"
            else:
                yield from self.taken(schema, others, f"{place}/{name}")
        if old.get("additionalProperties", True) is not False and "object" in _types(old):
            if others is False:
                yield f"{place} no longer takes other members"
            else:
                yield from self.taken(old.get("additionalProperties", {}), others, f"{place}/*")

    def _given(self, old: dict[str, Any], new: dict[str, Any], place: str) -> Iterator[str]:
        if not old:
            return
        if "anyOf" in old or "anyOf" in new:
            yield from self._each(new, old, place, lambda now, was, where: self.given(was, now, where))
            if not ("anyOf" in old and "anyOf" in new):
                return
        if more := _types(new) - _types(old):
            yield f"{place} may be {_listed(more)}"
            return
        yield from _words(old, new, place, "no longer gives")
        if "enum" in old and "enum" not in new:
            yield f"{place} may be any word"
        yield from _bounds(new, old, place)
        if "items" in old:
            yield from self.given(old["items"], new.get("items", {}), f"{place}/*")
        for name in sorted(set(old.get("required", ())) - set(new.get("required", ()))):
            yield f"{place}/{name} may be missing"
        for name, schema in old.get("properties", {}).items():
            if name in new.get("properties", {}):
                yield from self.given(schema, new["properties"][name], f"{place}/{name}")
            else:
                yield f"{place}/{name} is gone"
        if isinstance(others := old.get("additionalProperties"), dict):
            yield from self.given(others, new.get("additionalProperties", {}), f"{place}/*")

    def _each(
        self,
        narrow: dict[str, Any],
        wide: dict[str, Any],
        place: str,
        fits: Callable[[Any, Any, str], list[str]],
    ) -> Iterator[str]:
        """Each alternative of one side must fit into one of the other; the nearest says why not."""
        for alternative in narrow.get("anyOf", [narrow]):
            faults = []
            for other in sorted(wide.get("anyOf", [wide]), key=lambda other: other != alternative):  # most likely first
                faults.append(fits(alternative, other, place))
                if not faults[-1]:
                    break
            else:
                yield from min(faults, key=len, default=[f"{place} has nothing to choose from"])

    def _of_old(self, node: Any) -> Any:
        return _followed(node, self._old)

    def _of_new(self, node: Any) -> Any:
        return _followed(node, self._new)


def _reference(node: Any) -> str:
    return str(node.get("$ref", "")) if isinstance(node, dict) else ""


def _reached(node: Any, document: Mapping[str, Any]) -> set[str]:
    """List the references that can be come to from here."""
    found: set[str] = set()
    pending = [node]
    while pending:
        here = pending.pop()
        if isinstance(here, dict):
            reference = _reference(here)
            if reference and reference not in found:
                found.add(reference)
                pending.append(_followed(here, document))
            pending += here.values()
        elif isinstance(here, list):
            pending += here
    return found


def _followed(node: Any, document: Mapping[str, Any]) -> Any:
    while reference := _reference(node):
        node = document
        for level in reference.removeprefix("#/").split("/"):
            node = node[level.replace("~1", "/").replace("~0", "~")]
    return node


def _plain(schema: Schema) -> dict[str, Any]:
    """Write what JSON Schema can say in two ways in one: truth values, const, oneOf."""
    if isinstance(schema, bool):
        return {} if schema else {"enum": []}
    plain = dict(schema)
    if "const" in plain:
        plain["enum"] = [plain.pop("const")]
    if "oneOf" in plain:
        plain["anyOf"] = plain.pop("oneOf")
    return plain


def _types(schema: dict[str, Any]) -> frozenset[str]:
    named = schema.get("type", TYPES)
    found = frozenset([named] if isinstance(named, str) else named)
    return found | {"integer"} if "number" in found else found


def _words(old: dict[str, Any], new: dict[str, Any], place: str, lost: str) -> Iterator[str]:
    if "enum" in old and "enum" in new:
        kept = {json.dumps(word) for word in new["enum"]}
        gone = [json.dumps(word) for word in old["enum"] if json.dumps(word) not in kept]
        if gone:
            yield f"{place} {lost} {', '.join(gone)}"


def _bounds(wide: dict[str, Any], narrow: dict[str, Any], place: str) -> Iterator[str]:
    """Say where the second is narrower than the first."""
    for name in (*LOWER, *UPPER):
        bound, before = narrow.get(name), wide.get(name)
        tighter = bound is not None and (before is None or (bound > before if name in LOWER else bound < before))
        if tighter and not (name in {"minLength", "minItems", "minProperties"} and not bound):
            yield f"{place} has {name} {bound} where there was {'none' if before is None else before}"
    for name in SAME:
        if name in narrow and narrow[name] != wide.get(name):
            yield f"{place} has {name} {json.dumps(narrow[name])} where there was {json.dumps(wide.get(name))}"


def _listed(words: frozenset[str]) -> str:
    return ", ".join(sorted(words))
