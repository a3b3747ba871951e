"""SIFT features of photographs, written to COLMAP's database one photograph after the other."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from ...constants import Structure
from ...images.files import in_turn, read_image
from ...images.masks import on_object
from .collection import Photograph, check_most
from .work import Watch

_GREY = np.array([299, 587, 114], dtype=np.uint32)  # of 1,000: sums of whole numbers are the same everywhere


def extract(
    file: Path, photographs: Sequence[Photograph], constants: Structure, watch: Watch, pycolmap: Any
) -> None:
    """Features of all photographs that have none in the database yet.

    A photograph is made smaller first where its longer side exceeds `Structure.longest`. Features where alpha is 0 are
    left out. A file that is damaged has none.

    Raises
    ------
    ValueError
        Half of the files or more are damaged; one line that names the first.
    """
    faults: list[ValueError] = []
    database = pycolmap.Database.open(file)
    missing = [i for i in range(len(photographs)) if not database.exists_keypoints(i + 1)]
    extractors = _Extractors(constants, pycolmap)
    pool = ThreadPoolExecutor(max(1, torch.get_num_threads()))
    try:
        done = len(photographs) - len(missing)
        found = pool.map(lambda i: extractors.features(photographs[i], faults), missing)
        for index, (keypoints, descriptors) in zip(missing, found, strict=True):
            check_most(faults, len(photographs))
            database.write_descriptors(index + 1, descriptors)
            database.write_keypoints(index + 1, keypoints)  # last: they say that the photograph is done
            done += 1
            watch(done / len(photographs), f"features of {done} of {len(photographs)} photographs")
    finally:
        pool.shutdown(cancel_futures=True)
        database.close()


class _Extractors:
    """One for each thread."""

    def __init__(self, constants: Structure, pycolmap: Any) -> None:
        self._constants, self._pycolmap, self._own = constants, pycolmap, threading.local()

    def features(self, photograph: Photograph, faults: list[ValueError]) -> tuple[np.ndarray, Any]:
        """(N, 6) float32 keypoints in pixels of the file, and (N, 128) descriptors; a damaged file is a fault."""
        try:
            with in_turn(photograph.file):
                pixels, has_alpha = read_image(photograph.file)
        except ValueError as error:
            faults.append(error)
            none = np.zeros((0, 128), dtype=np.uint8)
            sift = self._pycolmap.FeatureExtractorType.SIFT
            return np.zeros((0, 6), dtype=np.float32), self._pycolmap.FeatureDescriptors(sift, none)
        grey = ((pixels[..., :3] @ _GREY + 500) // 1000).astype(np.uint8)
        height, width = grey.shape
        factor = min(1.0, self._constants.longest / max(width, height))
        if factor < 1.0:
            size = round(factor * width), round(factor * height)
            grey = np.asarray(Image.fromarray(grey).resize(size, Image.Resampling.BOX))
        keys, descriptors = self._sift(factor).extract_from_uint8_array(np.ascontiguousarray(grey))
        rows = [(key.x, key.y, key.a11, key.a12, key.a21, key.a22) for key in keys]
        keypoints = np.array(rows, dtype=np.float32).reshape(-1, 6)
        scale = np.array([width / grey.shape[1], height / grey.shape[0]], dtype=np.float32)
        keypoints *= scale[[0, 1, 0, 0, 1, 1]]
        if has_alpha:
            at = keypoints[:, :2].astype(np.int64).clip(0, (width - 1, height - 1))
            kept = on_object(pixels[at[:, 1], at[:, 0], 3])
            keypoints = keypoints[kept]
            descriptors = self._pycolmap.FeatureDescriptors(
                descriptors.type, np.ascontiguousarray(descriptors.data[kept])
            )
        return keypoints, descriptors

    def _sift(self, factor: float) -> Any:
        """The thread's own extractor. Photographs that were made smaller need not be enlarged to find fine features."""
        known = self._own.__dict__
        first = 0 if factor < 1.0 else -1
        if first not in known.setdefault("sift", {}):
            options = self._pycolmap.FeatureExtractionOptions()
            options.use_gpu, options.num_threads = False, 1
            options.sift.max_num_features, options.sift.first_octave = self._constants.features, first
            known["sift"][first] = self._pycolmap.FeatureExtractor.create(options, self._pycolmap.Device.cpu)
        return known["sift"][first]
