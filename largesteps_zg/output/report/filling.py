"""Pages that need nothing else: a template, one style sheet for all, pictures inside the file."""

from __future__ import annotations

import base64
import io
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from numpy.typing import NDArray
from PIL import Image

from ..._support.atomic import atomic_path
from ...images.color import linear_to_srgb
from ..pictures import drawing

HERE = Path(__file__).parent


def write_page(
    path: str | os.PathLike[str],
    template: Path,
    *,
    title: str,
    summary: str,
    notes: Sequence[str] = (),
    **values: Any,
) -> None:
    """Write one HTML file: opens from a disk, in any browser, without a network.

    Parameters
    ----------
    path
        The file to write; whole or absent.
    template : Path
        One that extends ``base.html.jinja``.
    title, summary : str
        A line, and a sentence or two.
    notes : sequence of str
        Small print at the end.
    values
        Whatever the template asks for. It is text and gets escaped, unless the template marks it as safe.
    """
    environment = Environment(
        loader=FileSystemLoader([template.parent, HERE]), autoescape=True, undefined=StrictUndefined
    )
    style = (HERE / "look.css").read_text(encoding="utf-8")
    text = environment.get_template(template.name).render(
        title=title, summary=summary, notes=notes, style=style, **values
    )
    with atomic_path(path) as part:
        part.write_text(text, encoding="utf-8")


def straight_bytes(image: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Linear premultiplied (H, W, 4) as sRGB bytes with straight alpha: the page shows around the object."""
    alpha = np.clip(np.nan_to_num(image[..., 3:]), 0, 1)
    straight = np.where(alpha > 0, np.nan_to_num(image[..., :3]) / np.maximum(alpha, 1e-6), 0)
    encoded = linear_to_srgb(torch.from_numpy(np.clip(straight, 0, 1))).numpy()
    return (np.concatenate([encoded, alpha], axis=-1) * 255 + 0.5).astype(np.uint8)


def picture(pixels: NDArray[np.uint8], alt: str, *, side: int, format: str = "PNG") -> dict[str, Any]:
    """The picture itself, for the page; one with a longer side than `side` pixels is made smaller."""
    image = Image.fromarray(pixels)
    if max(image.size) > side:
        image.thumbnail((side, side), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    image.save(buffer, format=format, **({"optimize": True} if format == "PNG" else {"quality": 88}))
    source = f"data:image/{format.lower()};base64,{base64.b64encode(buffer.getvalue()).decode()}"
    return {"alt": alt, "width": image.width, "height": image.height, "source": source}


def error_ramp() -> str:
    """The colours of errors from none to the largest, for a gradient of a style sheet."""
    return ",".join("rgb({},{},{})".format(*drawing.error_colors(np.array(i / 8))) for i in range(9))
