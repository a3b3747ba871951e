"""Mitsuba's XML: elements with their numbers, names and transforms, as versions 0.x to 3 write them."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import torch

from ...images.color import srgb_to_linear
from .fields import kind, text
from .text_files import numbers, read_text

_DEEPEST = 8  # includes within includes
_MOST_FILES = 1000  # read in all, one counted as often as it is included
_MOST_TEXT = 2**26  # characters of all of them; parsed they take about ten times as many bytes
_LONGEST = 2**20  # characters of a value after its $names were put in


class _Budget:
    """What may still be read."""

    def __init__(self) -> None:
        self.files, self.text = _MOST_FILES, _MOST_TEXT

    def take(self, content: str, file: Path) -> None:
        """ValueError where files that include each other come to more than a scene has."""
        self.files, self.text = self.files - 1, self.text - len(content)
        if self.files < 0 or self.text < 0:
            raise ValueError(
                f"{file}: its includes come to more than {_MOST_FILES} files or {_MOST_TEXT:,} characters; do they "
                "include each other again and again?"
            )


def read_scene(file: Path) -> ElementTree.Element:
    """The <scene> of a file: includes in place, defaults ($name) put in, names in snake_case."""
    root = _with_includes(file, _Budget(), depth=0)
    _put_in_defaults(root, file)
    return root


def _with_includes(file: Path, budget: _Budget, *, depth: int) -> ElementTree.Element:
    root = _parsed(file, budget)
    if root.tag != "scene":
        raise ValueError(f"{file}: expected <scene> as the outermost element, got <{root.tag[:40]}>")
    children: list[ElementTree.Element] = []
    for child in root:
        if child.tag != "include":
            children.append(child)
            continue
        if depth == _DEEPEST:
            raise ValueError(
                f"{file}: more than {_DEEPEST} files include each other; does one include itself?"
            )
        name = text(child.attrib, "filename", f"{file}: include")
        children.extend(_with_includes(file.parent / name, budget, depth=depth + 1))
    root[:] = children
    return root


def _parsed(file: Path, budget: _Budget) -> ElementTree.Element:
    content = read_text(file)
    budget.take(content, file)
    if "<!DOCTYPE" in content or "<!ENTITY" in content:  # entities in entities would fill the memory
        raise ValueError(f"{file}: expected no document type; take the line with <!DOCTYPE out")
    try:
        # As text, whose encoding is known; what the first line says of it no longer matters.
        return ElementTree.fromstring(re.sub(r"^\s*<\?xml[^>]*\?>", "", content))
    except ElementTree.ParseError as error:
        line = error.position[0]
        raise ValueError(f"{file}: line {line}: not valid XML ({str(error)[:60]}); is it complete?") from None


def _put_in_defaults(root: ElementTree.Element, file: Path) -> None:
    """Replaces $name in all attributes, and spells names as Mitsuba 3 does (toWorld -> to_world)."""
    defaults = {
        child.get("name", ""): child.get("value", "") for child in root.iter("default") if child.get("name")
    }
    ordered = sorted(defaults, key=len, reverse=True)  # $resolution before $res
    for element in root.iter():
        element.tag = element.tag.lower()  # lookAt
        for key, value in element.attrib.items():
            for name in ordered if "$" in value else ():
                longer = value.count(f"${name}") * len(defaults[name])
                if len(value) + longer > _LONGEST:  # defaults of defaults grow like entities of entities
                    raise ValueError(
                        f"{file}: the value of ${name[:40]} is longer than {_LONGEST:,} characters"
                    )
                value = value.replace(f"${name}", defaults[name])
            if re.search(r"\$[a-zA-Z_]", value) and element.tag != "default":
                raise ValueError(
                    f"{file}: {value[:40]!r} has no value; give it one with <default name=... value=.../>"
                )
            element.set(key, re.sub(r"(?<=[a-z])([A-Z])", r"_\1", value).lower() if key == "name" else value)


def parts(root: ElementTree.Element, element: ElementTree.Element, tag: str) -> Iterator[ElementTree.Element]:
    """The children with a tag, written in place or referred to by <ref id=.../>."""
    for child in element:
        if child.tag == tag:
            yield child
        elif child.tag == "ref":
            yield from (other for other in root.iter(tag) if other.get("id") == child.get("id"))


def has(element: ElementTree.Element, name: str) -> bool:
    """Whether the element has a property of that name."""
    return _property(element, name) is not None


def number(element: ElementTree.Element, name: str, default: float, where: str) -> float:
    """The property of that name, <float name=... value=.../>, or the default."""
    found = _property(element, name)
    return default if found is None else float(_numbers(found.get("value", ""), (1,), where, name)[0])


def whole(element: ElementTree.Element, name: str, default: int, where: str) -> int:
    """The property of that name as a whole number."""
    value = number(element, name, default, where)
    if value != round(value):
        raise ValueError(f"{where}: expected a whole number for {name}, got {value:g}")
    return round(value)


def color(element: ElementTree.Element, name: str, where: str) -> np.ndarray:
    """(3,) linear RGB of a property, from three numbers, one, or an sRGB colour #rrggbb; 1 where there is none."""
    found = _property(element, name)
    value = "1" if found is None else found.get("value", "")
    if re.fullmatch(r"\s*#[0-9a-fA-F]{6}\s*", value):
        levels = torch.tensor([int(value.strip()[i : i + 2], 16) for i in (1, 3, 5)]) / 255
        return srgb_to_linear(levels.double()).numpy()
    values = _numbers(value, (1, 3), where, name)
    return np.broadcast_to(values, (3,)).copy()


def is_spectrum(element: ElementTree.Element, name: str) -> bool:
    """Whether a property is given by wavelengths, as 400:0.5, 700:0.8."""
    found = _property(element, name)
    return found is not None and ":" in found.get("value", "")


def string(element: ElementTree.Element, name: str, where: str) -> str | None:
    """The property of that name, <string name=... value=.../>."""
    found = _property(element, name)
    return None if found is None else text(found.attrib, "value", f"{where}: {name}")


def _property(element: ElementTree.Element, name: str) -> ElementTree.Element | None:
    return next((child for child in element if child.get("name") == name), None)


def _numbers(value: str, counts: tuple[int, ...], where: str, what: str) -> np.ndarray:
    """Numbers separated by spaces or commas."""
    words = value.replace(",", " ").split()
    return numbers(words, len(words) if len(words) in counts else counts[-1], where, what)


def to_world(element: ElementTree.Element, where: str) -> np.ndarray:
    """(4, 4) float64: the product of the steps of <transform name="to_world">, the first of which acts first."""
    matrix = np.eye(4)
    for step in steps(element):
        if step.tag not in _STEPS:
            known = ", ".join(_STEPS)
            raise ValueError(f"{where}: expected {known} in to_world, got <{step.tag[:40]}>")
        matrix = _STEPS[step.tag](step.attrib, f"{where}: to_world: {step.tag}") @ matrix
    if not (np.abs(matrix) <= 1e12).all() or np.abs(matrix[3] - [0, 0, 0, 1]).max() > 1e-6:
        raise ValueError(
            f"{where}: to_world: expected an affine matrix, got {kind(matrix.tolist())}; is it transposed?"
        )
    return matrix


def steps(element: ElementTree.Element) -> list[ElementTree.Element]:
    """What <transform name="to_world"> is made of."""
    found = _property(element, "to_world")
    return [] if found is None else list(found)


def _vector(attributes: Mapping[str, str], where: str, missing: float) -> np.ndarray:
    """x, y and z, or `value` with one number or three."""
    if "value" in attributes:
        return np.broadcast_to(_numbers(attributes["value"], (1, 3), where, "value"), (3,))
    words = [attributes.get(axis, str(missing)) for axis in "xyz"]
    return numbers(words, 3, where, "x, y, z")


def _translate(attributes: Mapping[str, str], where: str) -> np.ndarray:
    matrix = np.eye(4)
    matrix[:3, 3] = _vector(attributes, where, 0.0)
    return matrix


def _scale(attributes: Mapping[str, str], where: str) -> np.ndarray:
    return np.diag([*_vector(attributes, where, 1.0), 1.0])


def _rotate(attributes: Mapping[str, str], where: str) -> np.ndarray:
    """Counter-clockwise about an axis by degrees (Rodrigues)."""
    axis = _unit(_vector(attributes, where, 0.0), f"{where}: axis")
    angle = np.radians(_numbers(attributes.get("angle", ""), (1,), where, "angle")[0])
    cross = np.array([[0, -axis[2], axis[1]], [axis[2], 0, -axis[0]], [-axis[1], axis[0], 0]])
    matrix = np.eye(4)
    matrix[:3, :3] += np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross
    return matrix


def _matrix(attributes: Mapping[str, str], where: str) -> np.ndarray:
    """16 numbers by rows, or 9 without translation."""
    values = _numbers(attributes.get("value", ""), (9, 16), where, "value")
    size = 3 if len(values) == 9 else 4
    matrix = np.eye(4)
    matrix[:size, :size] = values.reshape(size, size)
    return matrix


def _lookat(attributes: Mapping[str, str], where: str) -> np.ndarray:
    """Columns left, up, forward and origin."""
    origin, target = (_numbers(attributes.get(name, ""), (3,), where, name) for name in ("origin", "target"))
    up = _numbers(attributes.get("up", "0 1 0"), (3,), where, "up")
    forward = _unit(target - origin, f"{where}: target - origin")
    left = _unit(np.cross(up, forward), f"{where}: up x (target - origin)")
    matrix = np.eye(4)
    matrix[:3] = np.stack([left, np.cross(forward, left), forward, origin], axis=1)
    return matrix


def _unit(vector: np.ndarray, where: str) -> np.ndarray:
    length = float(np.linalg.norm(vector))
    if not length > 1e-12:
        raise ValueError(f"{where}: expected a direction, got a vector of length {length:g}")
    return vector / length


_STEPS = {"translate": _translate, "rotate": _rotate, "scale": _scale, "matrix": _matrix, "lookat": _lookat}
