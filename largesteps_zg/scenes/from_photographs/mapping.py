"""From features to cameras: pairs that fit together, and structure from motion over them."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ...constants import DEFAULTS, Structure
from .database import verified_pairs
from .work import Watch, attended

SEED = 0
_TURNS = 2
FAR, NARROW = 4.0, 1.5  # pixels, and degrees between the rays to a point: COLMAP's own bounds


def match(
    file: Path,
    names: Sequence[str],
    pairs: Sequence[tuple[int, int]],
    constants: Structure,
    watch: Watch,
    pycolmap: Any,
) -> None:
    """Matches of all pairs that have none in the database yet, and the geometry that they agree on."""
    matching, pairing = pycolmap.FeatureMatchingOptions(), pycolmap.ImportedPairingOptions()
    matching.use_gpu = False
    matching.sift.max_ratio = constants.ratio
    pairing.block_size = constants.block
    verification = pycolmap.TwoViewGeometryOptions()
    verification.ransac.random_seed = SEED
    total = max(len(pairs), 1)
    with tempfile.TemporaryDirectory() as folder:
        pairing.match_list_path = Path(folder, "pairs.txt")
        pairing.match_list_path.write_text(
            "".join(f"{names[i]} {names[j]}\n" for i, j in pairs), encoding="utf-8"
        )

        def look() -> None:
            done = verified_pairs(file)
            watch(done / total, f"matches of {done:,} of {len(pairs):,} pairs of photographs")

        attended(
            lambda token: pycolmap.match_image_pairs(
                file, matching, pairing, verification, pycolmap.Device.cpu, cancellation_token=token
            ),
            look=look,
        )


def mapped(
    file: Path, images: Path, count: int, watch: Watch, pycolmap: Any, *, start: Any = None
) -> list[Any]:
    """Models of photographs that hang together, that of most photographs first; none where nothing does.

    With a model to start from, which has the database's names, it is that one with all that can be placed in it.
    """
    options = pycolmap.IncrementalPipelineOptions()
    # One thread: sums of several would differ in their last digits from run to run.
    options.num_threads, options.random_seed, options.extract_colors = 1, SEED, False
    options.mapper.random_seed = options.triangulation.random_seed = SEED
    options.min_model_size = 3
    options.multiple_models = start is None
    placed = [0 if start is None else start.num_reg_images()]

    def first() -> None:
        placed[0] = 2

    def another() -> None:
        placed[0] += 1

    with tempfile.TemporaryDirectory() as folder:
        given = Path(folder, "start")
        if start is not None:
            given.mkdir()
            start.write(given)
        models = attended(
            lambda token: pycolmap.incremental_mapping(
                file, images, Path(folder), options, input_path=given if start is not None else "",
                initial_image_pair_callback=first, next_image_callback=another, cancellation_token=token,
            ),
            look=lambda: watch(placed[0] / count, f"{placed[0]} of {count} photographs placed"),
        )  # fmt: skip
    return sorted(models.values(), key=lambda model: -int(model.num_reg_images()))


def settled(model: Any, watch: Watch, pycolmap: Any, constants: Structure = DEFAULTS.structure) -> None:
    """Adjust a model, in place, so that wrong matches count little, and drop observations that are farther off.

    COLMAP's own adjustment counts squares: a few wrong matches, or what stands still before an object that turns, pull
    the lens and all cameras. The loss is Cauchy's with a scale of a pixel, which is how exactly features are found.
    """
    options = pycolmap.BundleAdjustmentOptions()
    options.refine_principal_point = options.print_summary = False
    options.ceres.loss_function_type, options.ceres.loss_function_scale = (
        pycolmap.LossFunctionType.CAUCHY,
        1.0,
    )
    options.ceres.solver_options.num_threads = 1  # as above
    which = pycolmap.BundleAdjustmentConfig()
    for image in model.reg_image_ids():
        which.add_image(image)
    which.fix_gauge(pycolmap.BundleAdjustmentGauge.TWO_CAMS_FROM_WORLD)
    observations = pycolmap.ObservationManager(model)
    for turn in range(_TURNS):
        # Ceres asks for a share of the whole sum, and goes on for a hundred steps where it is asked for none.
        options.ceres.solver_options.function_tolerance = constants.adjusted / max(
            model.compute_num_observations(), 1
        )
        # pycolmap.bundle_adjustment would do the same, but tell of it on the terminal.
        attended(
            lambda _: pycolmap.create_default_bundle_adjuster(options, which, model).solve(),
            look=lambda turn=turn: watch(turn / _TURNS, "cameras adjusted"),  # type: ignore[misc]
        )
        observations.filter_all_points3D(FAR, NARROW)
    model.update_point_3d_errors()


def written(model: Any, folder: Path) -> None:
    """The model as files of COLMAP, all of them or none."""
    part = folder.with_name(f".{folder.name}-unfinished")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir()
    model.write(part)
    shutil.rmtree(folder, ignore_errors=True)
    part.rename(folder)


def one_plane(file: Path, pycolmap: Any) -> bool:
    """Whether most of the pairs that match do so as photographs of a plane do, or as those of a camera that turned."""
    kinds = pycolmap.TwoViewGeometryConfiguration
    flat = {int(kind) for kind in (kinds.PLANAR, kinds.PANORAMIC, kinds.PLANAR_OR_PANORAMIC)}
    database = pycolmap.Database.open(file)
    try:
        _, pairs = database.read_two_view_geometries()
    finally:
        database.close()
    seen = [int(pair.config) in flat for pair in pairs if len(pair.inlier_matches)]
    return 2 * sum(seen) > len(seen)
