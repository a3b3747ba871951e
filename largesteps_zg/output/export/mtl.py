"""Materials of OBJ files: what old viewers know, and what those that know physically based materials add."""

from __future__ import annotations

import math

from torch import Tensor

from .material import Material


def mtl_images(stem: str, material: Material | None, base: Tensor | None) -> dict[str, Tensor]:
    """Images of a material by the names of their files, base colour first: (H, W, 3) or (H, W) uint8.

    Roughness and metalness that are the same everywhere get none: Blender 4.5 reads theirs as sRGB, and numbers right.
    The normal map is there twice, see `mtl_text`.
    """
    images = {} if base is None else {f"{stem}.png": base}
    if material is None:
        return images
    for name, layer in (("roughness", material.roughness), ("metalness", material.metalness)):
        if bool((layer != layer[0, 0]).any()):
            images[f"{stem}_{name}.png"] = layer
    if material.normals is not None:
        images |= {f"{stem}_normal{suffix}": material.normals for suffix in (".png", ".exr")}
    return images


def mtl_text(stem: str, material: Material | None, images: dict[str, Tensor]) -> str:
    """The content of an MTL file with one material, "surface".

    ``Pr``, ``Pm``, ``map_Pr``, ``map_Pm`` and ``norm`` are physically based keys. Blender 4.5 reads all of them but
    ``norm``. It takes ``map_Bump`` for a normal map, and a PNG there for sRGB; an OpenEXR file it reads as it is. Old
    readers take ``map_Bump`` for heights, but don't know OpenEXR and go without. three.js prefers ``norm``. Old viewers
    shade by Phong with a highlight ``Ks (n . h)^Ns``. GGX of roughness r, alpha = r², is nearest to that with
    Ns = 2 / alpha² - 2 [1]_, and its highlight is as bright where Ks = F0 (Ns + 8) / 8 [2]_. Blender multiplies by 2 Ks
    what ``Ni`` makes it mirror straight on: so Ni is the index of F0 / (2 Ks).

    Parameters
    ----------
    stem : str
        Of the names of the images.
    material : Material or None
        None for a matt one.
    images : dict
        What `mtl_images` gives.

    References
    ----------
    .. [1] B. Walter et al., "Microfacet Models for Refraction through Rough Surfaces", EGSR 2007, section 5.2.
    .. [2] T. Akenine-Möller, E. Haines, N. Hoffman, "Real-Time Rendering", 3rd ed., 2008, section 7.6.
    """
    lines = ["newmtl surface", "Ka 0 0 0", "Kd 1 1 1"]
    rough = 1.0 if material is None else float(material.roughness.double().mean()) / 255
    if material is None or (rough == 1 and not bool(material.metalness.any())):
        lines += ["Ks 0 0 0", "d 1", "illum 1"]
    else:
        shine = min(2 / max(rough, 0.05) ** 4 - 2, 1000.0)  # the largest that the format knows
        highlight = min(material.reflectance * (shine + 8) / 8, 1.0)
        root = math.sqrt(material.reflectance / (2 * highlight)) if highlight else 0.0
        lines += [f"Ks {highlight:.4f} {highlight:.4f} {highlight:.4f}", f"Ns {shine:.1f}"]
        lines += [f"Ni {(1 + root) / (1 - root):.4f}", "d 1", "illum 2"]
        for key, name, value in (
            ("Pr", "roughness", rough),
            ("Pm", "metalness", int(material.metalness[0, 0]) / 255),
        ):
            lines.append(f"{key} {1 if f'{stem}_{name}.png' in images else round(value, 4)}")
    keys = {".png": "map_Kd", "_roughness.png": "map_Pr", "_metalness.png": "map_Pm", "_normal.png": "norm",
            "_normal.exr": "map_Bump -bm 1"}  # fmt: skip
    lines += [f"{keys[name.removeprefix(stem)]} {name}" for name in images]
    return "\n".join(lines) + "\n"
