"""Images whose numbers are light or directions, not sRGB, as OpenEXR: programs read such files as they are."""

from __future__ import annotations

import struct
import zlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

_MAGIC, _VERSION = 20000630, 2
_HALF, _ZIP, _ROWS = 1, 3, 16  # type of the pixels, compression, rows in a block


def exr_bytes(image: NDArray[np.floating]) -> bytes:
    """The content of an OpenEXR file: scan lines, half floats, each block of 16 rows deflated [1]_.

    Parameters
    ----------
    image : (H, W, 3) float
        Red, green and blue, row 0 on top.

    References
    ----------
    .. [1] "OpenEXR File Layout", https://openexr.com/en/latest/OpenEXRFileLayout.html
    """
    height, width, _ = image.shape
    halves = image[..., ::-1].astype("<f2").transpose(0, 2, 1)  # (H, BGR, W): channels are sorted by name
    blocks = [
        struct.pack("<ii", top, len(packed)) + packed
        for top, packed in ((top, _packed(halves[top : top + _ROWS])) for top in range(0, height, _ROWS))
    ]
    head = _head(width, height)
    first = len(head) + 8 * len(blocks)
    offsets = first + np.cumsum([0, *(len(block) for block in blocks[:-1])])
    return head + offsets.astype("<u8").tobytes() + b"".join(blocks)


def _head(width: int, height: int) -> bytes:
    """Magic number, version, and the attributes that each file has to have."""
    channels = b"".join(name + struct.pack("<iB3xii", _HALF, 0, 1, 1) for name in (b"B\0", b"G\0", b"R\0"))
    window = struct.pack("<4i", 0, 0, width - 1, height - 1)
    attributes = {
        "channels": ("chlist", channels + b"\0"),
        "compression": ("compression", bytes([_ZIP])),
        "dataWindow": ("box2i", window),
        "displayWindow": ("box2i", window),
        "lineOrder": ("lineOrder", b"\0"),
        "pixelAspectRatio": ("float", struct.pack("<f", 1)),
        "screenWindowCenter": ("v2f", struct.pack("<ff", 0, 0)),
        "screenWindowWidth": ("float", struct.pack("<f", 1)),
    }
    text = b"".join(
        f"{name}\0{kind}\0".encode() + struct.pack("<i", len(value)) + value
        for name, (kind, value) in attributes.items()
    )
    return struct.pack("<ii", _MAGIC, _VERSION) + text + b"\0"


def _packed(rows: NDArray[Any]) -> bytes:
    """Rows of one block: low bytes before high bytes, each as its difference to the one before, deflated."""
    raw = np.frombuffer(rows.tobytes(), dtype=np.uint8)
    parted = np.concatenate([raw[::2], raw[1::2]])
    steps = parted.copy()
    steps[1:] = parted[1:] - parted[:-1] + 128  # modulo 256
    deflated = zlib.compress(steps.tobytes(), 6)
    return deflated if len(deflated) < len(raw) else raw.tobytes()
