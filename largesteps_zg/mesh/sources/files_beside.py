"""Files that a mesh names: its materials, textures and buffers, looked for in its folder and below only."""

from __future__ import annotations

from pathlib import Path

from ..._support.regular_files import LARGEST_TEXT, read_regular
from ...images.opening import check_image, more_pictures
from .text import decoded

# What materials say besides and is not used, and the keys that say it.
_UNUSED = {
    "normal and bump maps are not used": {"norm", "bump", "map_bump"},
    "roughness and metalness are not used; colours are taken for diffuse ones": {
        "map_pr",
        "map_pm",
        "pr",
        "pm",
    },
}


class FilesBeside:
    """What trimesh asks for the files that a mesh names; they are regular files, materials and images.

    Parameters
    ----------
    mesh : Path
        The file that names them.
    """

    def __init__(self, mesh: Path) -> None:
        self.folder = mesh.parent.resolve()
        self.file_name = mesh.name
        self.unread: list[str] = []

    def bytes_of(self, name: str) -> bytes:
        """The bytes of a file by its name, which may begin as an absolute path of another machine does.

        Raises
        ------
        FileNotFoundError, ValueError
            There is none in the folder or below, or it is no regular file.
        """
        name = name.strip().replace("\\", "/")
        for candidate in (name, name.lstrip("/"), name.rsplit("/", 1)[-1]):
            path = (self.folder / candidate).resolve()
            if candidate and path.is_relative_to(self.folder) and path.exists() and not path.is_dir():
                return read_regular(path)
        raise FileNotFoundError(f"no file {name[:80]!r} in the folder of the mesh; copy it there")

    def get(self, name: str) -> bytes:
        """A file of materials as UTF-8, or an image; raises as `bytes_of`, and where it is neither.

        What raises is listed in `unread`, for trimesh goes on without it.
        """
        try:
            return self._checked(name)
        except Exception as error:
            self.unread.append(
                f"{name.strip()[:80]} is not used ({(str(error).splitlines() or [''])[0][:120]})"
            )
            raise

    def _checked(self, name: str) -> bytes:
        data = self.bytes_of(name)
        if name.strip().lower().endswith(".mtl"):
            if len(data) > LARGEST_TEXT:
                raise ValueError(f"{name}: expected a file of materials, got {len(data):,} bytes")
            text = decoded(data)
            keys = {line.split()[0].lower() for line in text.splitlines() if line.strip()}
            self.unread += [told for told, of in _UNUSED.items() if keys & of]
            return text.encode()
        if check_image(data):
            self.unread.append(more_pictures(name))
        return data

    __getitem__ = get
