"""The object in photographs as a segmentation network sees it, run by onnxruntime on the CPU.

Files of rembg are understood: U2-Net (320 x 320), IS-Net and BiRefNet (1024 x 1024). One that is named is run as it is;
rembg itself is needed to download one alone.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from ..._support.atomic import atomic_path
from ..._support.errors import first_line
from ...images.masks import on_object
from ..from_photographs.work import Watch, unwatched
from ..reading import NETWORK, Reading

USUAL = "isnet-general-use"
_KNOWN = (USUAL, "birefnet-general", "birefnet-general-lite", "u2net", "silueta", "u2netp")  # the best first
_INSTALL = 'pip install "largesteps_zg[masks]"'
_SMALL = 512  # pixels: smaller networks are of U2-Net's kind
_SIZE = 1024  # where a file leaves its size open
_IMAGENET = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
_ISNET = (0.5, 0.5, 0.5), (1.0, 1.0, 1.0)


def model_of(reading: Reading) -> Path | None:
    """The file of the network to use, as far as one is asked for or at hand.

    Raises
    ------
    ImportError
        A network is asked for, and onnxruntime is not installed, or rembg, which would download one.
    OSError
        It can be neither found nor downloaded.
    """
    if reading.masks != NETWORK and reading.mask_model is None:
        found = _downloaded()
        return found if found is not None and _runtime_installed() else None
    _runtime()
    return reading.mask_model or _downloaded() or _fetched()


class Network:
    """A segmentation network of one input, a photograph, whose first output is a map of the object.

    Parameters
    ----------
    file : Path
        ONNX.

    Raises
    ------
    ImportError
        Without onnxruntime.
    ValueError
        The file cannot be loaded, or takes or gives something else; one line that names it.
    """

    def __init__(self, file: Path) -> None:
        self.file = file
        runtime = _runtime()
        options = runtime.SessionOptions()
        options.log_severity_level, options.intra_op_num_threads = 4, torch.get_num_threads()
        try:
            self._session = runtime.InferenceSession(
                str(file), sess_options=options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # onnxruntime raises types of its own, without a common one
            raise ValueError(
                f"{file}: the network cannot be loaded ({first_line(error, 200)}); is it a whole ONNX file?"
            ) from None
        inputs = self._session.get_inputs()
        shape = inputs[0].shape if inputs else []
        if len(inputs) != 1 or len(shape) != 4 or shape[1] != 3:
            raise ValueError(
                f"{file}: expected a network of one image (1, 3, height, width), got inputs "
                f"{[(each.name, each.shape) for each in inputs]}; u2net, isnet and birefnet are such"
            )
        self._name, self._half = inputs[0].name, "float16" in inputs[0].type
        self._size = tuple(side if isinstance(side, int) else _SIZE for side in shape[2:])
        self._logits: bool | None = None  # not known before it has run

    def likelihood(self, pixels: np.ndarray) -> np.ndarray:
        """Of each pixel to be object, as a byte, in the network's own resolution, from (H, W, 3) uint8 sRGB.

        Small networks are U2-Net's kind, normalised by the statistics of ImageNet. Large ones are of IS-Net's kind, or,
        where what comes out is no probability, of BiRefNet's, which are normalised by ImageNet and give logits.
        """
        normal = _IMAGENET if max(self._size) <= _SMALL or self._logits else _ISNET
        found = self._run(pixels, normal)
        if self._logits is None:
            self._logits = bool(found.min() < -1e-3 or found.max() > 1 + 1e-3)
            if self._logits and normal is _ISNET:
                found = self._run(pixels, _IMAGENET)
        if self._logits:
            found = 1 / (1 + np.exp(-found.clip(-60, 60)))
        likely: np.ndarray = np.rint(255 * found.clip(0, 1)).astype(np.uint8)
        return likely

    def _run(self, pixels: np.ndarray, normal: Any) -> np.ndarray:
        """The first output, (h, w)."""
        height, width = self._size
        small = Image.fromarray(pixels).resize((width, height), Image.Resampling.LANCZOS)
        light = np.asarray(small, dtype=np.float32)
        light = (light / max(float(light.max()), 1e-6) - np.float32(normal[0])) / np.float32(normal[1])
        given = np.ascontiguousarray(
            light.transpose(2, 0, 1)[None], dtype=np.float16 if self._half else np.float32
        )
        try:
            first = np.asarray(self._session.run(None, {self._name: given})[0], dtype=np.float32)
        except Exception as error:
            raise ValueError(f"{self.file}: the network cannot be run ({first_line(error, 200)})") from None
        if first.ndim < 2 or first.size != first.shape[-1] * first.shape[-2] or not np.isfinite(first).all():
            raise ValueError(
                f"{self.file}: expected a map of the object (1, 1, height, width), got {first.shape}"
            )
        return first.reshape(first.shape[-2:])


def masks_by_network(
    file: Path, images: Sequence[np.ndarray], kept: Path | None = None, watch: Watch = unwatched
) -> list[np.ndarray]:
    """Masks of photographs by a network.

    Parameters
    ----------
    file : Path
        ONNX.
    images : sequence of (H, W, 3 or 4) uint8
        sRGB; a fourth channel is ignored.
    kept : Path, optional
        A folder, made if it is not there, in which what was found is kept and found again by later calls.
    watch : callable, optional
        Called with the share that is done, and what is being done.

    Returns
    -------
    list of (H, W) bool
        True where the object is the likelier; a mask may be empty.

    Raises
    ------
    ImportError, ValueError
        See `Network`.
    """
    network: Network | None = None
    stamp = hashlib.sha256(file.read_bytes()).digest()
    masks = []
    for number, image in enumerate(images, 1):
        pixels = np.ascontiguousarray(image[..., :3])
        name = hashlib.sha256(stamp + repr(pixels.shape).encode() + pixels.tobytes()).hexdigest()[:32]
        known = None if kept is None else kept / f"{name}.png"
        if known is not None and known.is_file():
            likely = np.asarray(Image.open(known))
        else:
            network = network or Network(file)
            likely = network.likelihood(pixels)
            if known is not None:
                known.parent.mkdir(parents=True, exist_ok=True)
                with atomic_path(known) as part:
                    Image.fromarray(likely).save(part, format="PNG")
        size = pixels.shape[1], pixels.shape[0]
        masks.append(on_object(np.asarray(Image.fromarray(likely).resize(size, Image.Resampling.BICUBIC))))
        watch(number / len(images), f"masks of {number} of {len(images)} photographs, by {file.name}")
    return masks


def _runtime_installed() -> bool:
    try:
        _runtime()
    except ImportError:
        return False
    return True


def _runtime() -> Any:
    try:
        import onnxruntime
    except ImportError as error:
        raise ImportError(
            f"masks: networks are run by onnxruntime, which is not installed; run: {_INSTALL}"
        ) from error
    return onnxruntime


def _downloaded() -> Path | None:
    """The best of rembg's files that an earlier download has left where rembg keeps them."""
    homes = [os.environ.get("U2NET_HOME"), os.environ.get("REMBG_HOME")]
    data = os.environ.get("XDG_DATA_HOME")
    homes += [f"{data}/rembg", f"{data}/.u2net"] if data else []
    folders = [Path(home).expanduser() for home in (*homes, "~/.rembg", "~/.u2net") if home]
    for name in _KNOWN:
        for folder in folders:
            for file in (folder / "models" / name / f"{name}.onnx", folder / f"{name}.onnx"):
                if file.is_file():
                    return file
    return None


def _fetched() -> Path:
    """rembg's usual network, downloaded by rembg."""
    other = "or name a file: --mask-model FILE.onnx"
    try:
        from rembg.sessions import sessions_class
    except (ImportError, SystemExit) as error:  # it exits where no onnxruntime fits
        raise ImportError(
            f"masks: networks are downloaded by rembg, which is not installed; run: {_INSTALL}, {other}"
        ) from error
    kind = next(each for each in sessions_class if each.name() == USUAL)
    try:
        return Path(kind.download_models())
    except Exception as error:  # whatever the network, the disk and the checksum have to say
        raise OSError(
            f"masks: {USUAL}.onnx cannot be downloaded ({type(error).__name__}); is there a network? Download it "
            f"elsewhere with rembg, {other}"
        ) from error
