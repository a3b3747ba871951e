"""glTF and GLB: triangles, colours and coordinates as plain numbers, checked against what the file holds."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable
from typing import Any

import numpy as np

from ...images.opening import more_pictures
from .gltf_fields import WIDTHS
from .gltf_file import GltfFile, Read, extensions

_TRIANGLES, _STRIP, _FAN = 4, 5, 6
# Vertices that copies of a mesh may add up to beyond those of the file: 250 bytes each while it is read, 1 GiB in all.
_MOST_COPIES = 2**22


def plain_glb(data: bytes, read: Read, check_image: Callable[[bytes], bool]) -> tuple[bytes, list[str]]:
    """A GLB file of triangles alone whose numbers need no conversion.

    Quantized and sparse numbers become floats, strips and fans triangles; texture coordinates are turned and scaled
    as their materials say. Cameras, skins, animations, points and lines are left out; images that can't be read too.

    Parameters
    ----------
    data : bytes
        Of a .glb or .gltf file.
    read : callable
        Gives the bytes of a file that it names.
    check_image : callable
        Tells whether bytes of an image hold more than one; raises an exception where they are none that may be read.

    Returns
    -------
    data : bytes
    unread : list of str
        Images that were left out or not read to their end, and why.

    Raises
    ------
    ValueError
        It is damaged, compressed, of another version, or needs an extension that is not known here.
    """
    source = GltfFile(data, read)
    try:
        plain = _Plain(source, check_image)
        return plain.file(), plain.unread
    except (KeyError, IndexError, TypeError, AttributeError, OverflowError) as error:
        raise ValueError(f"not as glTF 2.0 has it ({type(error).__name__}: {error})") from error


class _Plain:
    """Builds the plain file; holds what it is made of so far."""

    def __init__(self, source: GltfFile, check_image: Callable[[bytes], bool]) -> None:
        self.source, self.tree, self.check_image = source, source.tree, check_image
        self.images: dict[str, dict[str, Any]] = {}
        self.parts: list[bytes] = []
        self.size = 0
        self.unread: list[str] = []
        self.views: list[dict[str, Any]] = []
        self.accessors: list[dict[str, Any]] = []
        self.written: dict[tuple[int, ...], int] = {}

    def file(self) -> bytes:
        """The bytes of a GLB."""
        meshes = [self._mesh(mesh, index) for index, mesh in enumerate(self.tree.get("meshes", []))]
        nodes, roots = self._nodes(len(meshes))
        self._list_unread()
        self._check_copies(meshes, nodes, roots)
        tree = {
            "asset": {"version": "2.0"},
            "scene": 0,
            "scenes": [{"nodes": roots}],
            "nodes": nodes,
            "meshes": meshes,
            "materials": self.tree.get("materials", []),
            "textures": self.tree.get("textures", []),
            "samplers": self.tree.get("samplers", []),
            "images": [self._image(image) for image in self.tree.get("images", [])],
        }
        # Only now are all of them known.
        tree |= {
            "accessors": self.accessors,
            "bufferViews": self.views,
            "buffers": [{"byteLength": self.size}],
        }
        text = json.dumps(tree).encode()
        text += b" " * (-len(text) % 4)
        body = b"".join(self.parts)
        head = struct.pack("<4sII", b"glTF", 2, 28 + len(text) + len(body))
        return b"".join(
            [
                head,
                struct.pack("<I4s", len(text), b"JSON"),
                text,
                struct.pack("<I4s", len(body), b"BIN\0"),
                body,
            ]
        )

    def _list_unread(self) -> None:
        """Takes down what would change or add triangles and is left out."""
        others = len(self.tree.get("scenes") or []) - 1
        parts = [part for mesh in self.tree.get("meshes", []) for part in mesh["primitives"]]
        if others > 0:
            self.unread.append(f"other scenes than the one to show first are not used ({others:,})")
        if any(part.get("targets") for part in parts):
            self.unread.append("morph targets are not used; the mesh is taken without them")
        if any("skin" in node for node in self.tree.get("nodes", [])):
            self.unread.append("skins are not used; the mesh is taken in its rest pose")
        if any("normalTexture" in made for made in self.tree.get("materials", [])):
            self.unread.append("normal maps are not used")
        if any(_is_shiny(made) for made in self.tree.get("materials", [])):
            self.unread.append(
                "roughness and metalness are not used; base colours are taken for diffuse ones"
            )
        if self.tree.get("animations"):
            self.unread.append("animations are not used; the nodes are taken where they rest")
        kinds = {part.get("mode", _TRIANGLES) for part in parts}
        if kinds - {_TRIANGLES, _STRIP, _FAN} and kinds & {_TRIANGLES, _STRIP, _FAN}:
            self.unread.append("points and lines are not used")

    def _mesh(self, mesh: dict[str, Any], index: int) -> dict[str, Any]:
        """Its triangles; other kinds of primitives are no surface."""
        kinds = (_TRIANGLES, _STRIP, _FAN)
        found = [part for part in mesh["primitives"] if part.get("mode", _TRIANGLES) in kinds]
        return {"name": f"mesh {index}", "primitives": [self._primitive(part) for part in found]}

    def _primitive(self, part: dict[str, Any]) -> dict[str, Any]:
        given = part["attributes"]
        count = len(self.source.values(given["POSITION"], "POSITION"))
        attributes = {"POSITION": self._written(given["POSITION"], 3)}
        material = part.get("material")
        place, transform = self._coordinates(material)
        if material is not None and f"TEXCOORD_{place}" in given:
            attributes["TEXCOORD_0"] = self._written(given[f"TEXCOORD_{place}"], 2, transform)
        if "COLOR_0" in given:
            attributes["COLOR_0"] = self._written(given["COLOR_0"], None)
        for name, at in attributes.items():
            if self.accessors[at]["count"] != count:
                raise ValueError(f"{name} has {self.accessors[at]['count']} entries for {count} vertices")
        plain = {"attributes": attributes, "indices": self._triangles(part, count)}
        return plain if material is None else {**plain, "material": material}

    def _triangles(self, part: dict[str, Any], count: int) -> int:
        """The accessor of three indices for each triangle."""
        given, mode = part.get("indices"), part.get("mode", _TRIANGLES)
        key = (-1, -1 if given is None else given, mode, count)
        if key in self.written:
            return self.written[key]
        if given is None:
            index = np.arange(count, dtype=np.uint32)
        else:
            index = self.source.values(given, "indices").reshape(-1)
            if index.dtype.kind != "u":
                raise ValueError(f"accessor {given}: expected unsigned whole numbers as indices")
            if index.size and int(index.max()) >= count:
                raise ValueError(
                    f"expected indices in [0, {count}), got {int(index.max())} in accessor {given}"
                )
        if mode == _TRIANGLES:
            if len(index) % 3:
                raise ValueError(f"expected three indices for each triangle, got {len(index)} in all")
            faces = index.reshape(-1, 3)
        elif mode == _FAN:
            faces = np.stack(
                [np.broadcast_to(index[:1], max(0, len(index) - 2)), index[1:-1], index[2:]], axis=1
            )
        else:
            faces = np.stack([index[:-2], index[1:-1], index[2:]], axis=1)
            faces[1::2] = faces[1::2, [1, 0, 2]]  # every other one of a strip is wound the other way
            faces = faces[(faces != np.roll(faces, 1, axis=1)).all(axis=1)]  # where it goes on elsewhere
        return self._add(key, faces.astype("<u4").reshape(-1, 1))

    def _coordinates(self, material: int | None) -> tuple[int, np.ndarray | None]:
        """Which coordinates the texture of the colours takes, and the (2, 3) matrix that acts on them."""
        if material is None:
            return 0, None
        index = self.source.index(material, "materials")
        texture = self.tree["materials"][index].get("pbrMetallicRoughness", {}).get("baseColorTexture") or {}
        extension = extensions(texture).get("KHR_texture_transform")
        place = texture.get("texCoord", 0)
        if extension is None:
            return int(place), None
        angle = float(extension.get("rotation", 0.0))
        (sx, sy), (ox, oy) = extension.get("scale", (1, 1)), extension.get("offset", (0, 0))
        cos, sin = np.cos(angle), np.sin(angle)
        # Translation, rotation, scale; the way of the rotation is that of the example in the extension's text.
        matrix = np.array([[cos * sx, sin * sy, ox], [-sin * sx, cos * sy, oy]], dtype=np.float64)
        return int(extension.get("texCoord", place)), matrix

    def _written(self, accessor: int, width: int | None, transform: np.ndarray | None = None) -> int:
        """An accessor of floats in the new file."""
        key = (accessor, -1 if transform is None else hash(transform.tobytes()))
        if key in self.written:
            return self.written[key]
        values = self.source.values(accessor, "numbers").astype(np.float32)
        if width is not None and values.shape[1] != width:
            raise ValueError(
                f"accessor {accessor}: expected {width} numbers for each vertex, got {values.shape[1]}"
            )
        if transform is not None:
            values = (values @ transform[:, :2].T + transform[:, 2]).astype(np.float32)
        return self._add(key, values)

    def _add(self, key: tuple[int, ...], values: np.ndarray) -> int:
        kind = 5126 if values.dtype.kind == "f" else 5125
        shape = next(name for name, width in WIDTHS.items() if width == values.shape[1])
        self.accessors.append(
            {
                "bufferView": self._view(values.tobytes()),
                "componentType": kind,
                "count": len(values),
                "type": shape,
            }
        )
        self.written[key] = len(self.accessors) - 1
        return self.written[key]

    def _view(self, data: bytes) -> int:
        self.views.append({"buffer": 0, "byteOffset": self.size, "byteLength": len(data)})
        self.parts += [data, bytes(-len(data) % 4)]
        self.size += len(data) + -len(data) % 4
        return len(self.views) - 1

    def _image(self, image: dict[str, Any]) -> dict[str, Any]:
        """An image in the file itself; without bytes where it can't be read, as one that is missing."""
        key = f"{image.get('bufferView')} {image.get('uri')}"
        if key not in self.images:
            name = str(
                image.get("name") or image.get("uri") or f"image in bufferView {image.get('bufferView')}"
            )
            try:
                data = (
                    bytes(self.source.content(image["bufferView"])[0])
                    if "bufferView" in image
                    else self.source.uri(image["uri"])
                )
                if self.check_image(data):
                    self.unread.append(more_pictures(name))
                self.images[key] = {"bufferView": self._view(data)}
            except Exception as error:  # nearly anything: the readers of images are many
                self.images[key] = {}
                self.unread.append(f"{name[:80]} is not used ({(str(error).splitlines() or [''])[0][:120]})")
        return self.images[key]

    def _nodes(self, meshes: int) -> tuple[list[dict[str, Any]], list[int]]:
        """Placed meshes, and which nodes stand at the root of the scene.

        Raises ValueError where they are no tree.
        """
        given = self.tree.get("nodes", [])
        kept = ("matrix", "translation", "rotation", "scale")
        nodes: list[dict[str, Any]] = []
        parents = np.full(len(given), -1)
        for at, node in enumerate(given):
            plain: dict[str, Any] = {key: [float(x) for x in node[key]] for key in kept if key in node}
            if "mesh" in node:
                plain["mesh"] = self.source.index(node["mesh"], "meshes")
            children = [self.source.index(child, "nodes") for child in node.get("children", [])]
            for child in children:
                if parents[child] >= 0 or child == at:
                    raise ValueError(f"node {child} has two parents; expected a tree of nodes")
                parents[child] = at
            nodes.append({**plain, "name": f"node {at}", **({"children": children} if children else {})})
        scenes = self.tree.get("scenes")
        roots = [at for at, parent in enumerate(parents) if parent < 0]
        if scenes:
            chosen = scenes[self.source.index(self.tree.get("scene", 0), "scenes")].get("nodes", [])
            roots = list(dict.fromkeys(self.source.index(node, "nodes") for node in chosen))
            if any(parents[root] >= 0 for root in roots):
                raise ValueError("a node of the scene is another one's child; expected a tree of nodes")
        if not given and meshes:  # a library of meshes that nothing places
            nodes = [{"mesh": at, "name": f"node {at}"} for at in range(meshes)]
            roots = list(range(meshes))
        return nodes, roots

    def _check_copies(
        self, meshes: list[dict[str, Any]], nodes: list[dict[str, Any]], roots: list[int]
    ) -> None:
        """ValueError where a small file would fill the memory with copies."""

        def size(mesh: dict[str, Any]) -> int:
            parts = mesh["primitives"]
            return sum(
                max(self.accessors[at]["count"] for at in (part["attributes"]["POSITION"], part["indices"]))
                for part in parts
            )

        sizes = [size(mesh) for mesh in meshes]
        placed, waiting = 0, list(roots)
        while waiting:
            node = nodes[waiting.pop()]
            placed += sizes[node["mesh"]] if "mesh" in node else 0
            waiting += node.get("children", [])
        own = sum(accessor["count"] for accessor in self.accessors)
        for total in (placed, sum(sizes)):
            if total > own + _MOST_COPIES:
                raise ValueError(
                    f"{total:,} vertices in all copies of its meshes, which itself have {own:,}; leave some copies out"
                )


def _is_shiny(material: dict[str, Any]) -> bool:
    """Whether a material says of itself that it mirrors something."""
    given = material.get("pbrMetallicRoughness", {})
    return "metallicRoughnessTexture" in given or given.get("roughnessFactor", 1.0) < 1
