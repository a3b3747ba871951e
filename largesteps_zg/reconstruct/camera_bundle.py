"""Given cameras that are off, moved before a run by the features that their photographs share: bundle adjustment."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch

from .._support.native_output import caught, hand_on
from ..cameras.alignment import carried, similarity
from ..cameras.evidence import Comparison, standard_errors
from ..cameras.model import Cameras
from ..constants import DEFAULTS, Constants
from ..scenes.photographs.matching import Features, alike, epipolar_distances, features, halvings
from ..scenes.photographs.tracks import Tracks, intersected, projected, projections, tracks_of
from ..scenes.pycolmap_quietly import quiet_pycolmap
from ..scenes.views import Views

# Points where the rays meet, then cameras and points together; and again, now that rays nearly meet.
ROUNDS = 2


@dataclass(frozen=True)
class Bundled:
    """Cameras that suit the photographs' features better than the given ones.

    Attributes
    ----------
    cameras : Cameras
        Of all views, float64; together they are where the given ones are.
    evidence : Comparison
        The median distance of matches from the lines that cameras draw for their partners, in pixels; by cameras that
        these matches had no part in.
    """

    cameras: Cameras
    evidence: Comparison


def bundled(views: Views, constants: Constants = DEFAULTS) -> Bundled | None:
    """Cameras by bundle adjustment, where matches say that they are needed, and agree on which.

    Given cameras are believed until held-out evidence says otherwise. A feature is found to a pixel. So most matches
    have to be off by more, and by less from cameras that the other half of the matches asks for. And the cameras that
    each half asks for have to be nearer to one another than to the given ones.

    Parameters
    ----------
    views : Views
        Photographs, masks and cameras.
    constants : Constants, optional

    Returns
    -------
    Bundled or None
        None where given cameras are believed: they fit, or matches are too few or too wrong to say.

    Notes
    -----
    Intrinsics stay, and so does the camera of a view without matches. Deterministic.

    References
    ----------
    Triggs, McLauchlan, Hartley, Fitzgibbon: Bundle Adjustment, a Modern Synthesis. 1999. Schönberger, Frahm:
    Structure-from-Motion Revisited (COLMAP, whose RANSAC and bundle adjustment these are). CVPR 2016.
    """
    matching, least = constants.matching, constants.correcting.least_views
    if len(views) < least:
        return None
    fewer = min(matching.features, constants.correcting.asked_features)
    coarsest = halvings(views, constants.correcting.asked_pixels)
    found = features(views, replace(matching, features=fewer), coarsest=coarsest)
    given = views.cameras.to("cpu", torch.float64)
    pairs = list(alike(found, given, matching, most=matching.partners))
    if _all_fit(found, pairs, given, matching.found):
        return None
    tracks = tracks_of([of.pixels for of in found], _verified(found, pairs, given), least=2)
    first = np.arange(len(tracks)) % 2 == 0
    halves = tracks.some(first), tracks.some(~first)
    off = np.concatenate([_distances(half, given) for half in halves])
    if not len(off) or np.median(off) <= matching.found:
        return None
    asked, both = [_adjusted(half, given) for half in halves], _adjusted(tracks, given)
    if asked[0] is None or asked[1] is None or both is None:
        return None
    cameras, points = both
    seen = np.unique(tracks.view).tolist()
    places = [_pixels(each, seen, points) for each in (asked[0][0], asked[1][0], given)]
    if not _apart(*places[:2]) < min(_apart(places[0], places[2]), _apart(places[1], places[2])):
        return None
    left = np.concatenate([_distances(halves[0], asked[1][0]), _distances(halves[1], asked[0][0])])
    if np.median(left) > matching.found:
        return None
    costs = [torch.from_numpy(np.minimum(np.square(each / np.median(off)), 1.0)) for each in (off, left)]
    errors = standard_errors(costs[0] - costs[1])
    return Bundled(cameras, Comparison(float(np.median(off)), float(np.median(left)), errors, len(off)))


def _pixels(cameras: Cameras, views: list[int], points: np.ndarray) -> torch.Tensor:
    """(V, P, 2): where some views show points."""
    return cameras[views].project(torch.from_numpy(points))[0]


def _apart(first: torch.Tensor, second: torch.Tensor) -> float:
    """Pixels, in the median."""
    return float((first - second).norm(dim=-1).median())


def _all_fit(
    found: list[Features], pairs: list[tuple[int, int, np.ndarray]], cameras: Cameras, pixels: float
) -> bool:
    """Whether most of the matches are as near to their lines as features are found, or there are none."""
    off = [
        epipolar_distances(cameras[i], cameras[j], found[i].pixels[both[:, 0]], found[j].pixels[both[:, 1]])
        for i, j, both in pairs
    ]
    return not off or not np.median(np.concatenate(off)) > pixels


def _verified(
    found: list[Features], pairs: list[tuple[int, int, np.ndarray]], cameras: Cameras
) -> Iterator[tuple[int, int, np.ndarray]]:
    """Matches of two photographs that some motion of one camera to the other explains, whatever the given one is."""
    with quiet_pycolmap() as pycolmap:
        options = pycolmap.TwoViewGeometryOptions()
        options.ransac.random_seed = 0
        for i, j, both in pairs:
            if len(both) < options.min_num_inliers:
                continue
            motion = pycolmap.estimate_calibrated_two_view_geometry(
                _pinhole(cameras, i), found[i].pixels, _pinhole(cameras, j), found[j].pixels,
                both.astype(np.uint32), options,
            )  # fmt: skip
            if len(motion.inlier_matches) >= options.min_num_inliers:
                yield i, j, np.asarray(motion.inlier_matches, dtype=np.int64)


def _pinhole(cameras: Cameras, index: int) -> Any:
    """A view's camera as pycolmap has it."""
    import pycolmap

    k = cameras.intrinsics[index].tolist()
    return pycolmap.Camera(
        camera_id=index + 1, model="PINHOLE", width=cameras.width, height=cameras.height,
        params=[k[0][0], k[1][1], k[0][2], k[1][2]],
    )  # fmt: skip


def _distances(tracks: Tracks, cameras: Cameras) -> np.ndarray:
    """Pixels that each observation is off the line that the one before it in its track draws."""
    later = np.flatnonzero(np.diff(tracks.track) == 0) + 1
    views = np.stack([tracks.view[later - 1], tracks.view[later]], axis=1)
    off = np.zeros(len(later))
    for pair in np.unique(views, axis=0):
        some = (views == pair).all(axis=1)
        a, b = tracks.pixels[later[some] - 1], tracks.pixels[later[some]]
        off[some] = epipolar_distances(cameras[int(pair[0])], cameras[int(pair[1])], a, b)
    return off


def _adjusted(tracks: Tracks, given: Cameras) -> tuple[Cameras, np.ndarray] | None:
    """Cameras whose rays miss each other least, and where they meet; together where the given ones are."""
    cameras, points = given, np.zeros((0, 3))
    for _ in range(ROUNDS):
        matrices = projections(cameras)
        points = intersected(tracks, matrices)
        depth = projected(points, tracks, matrices)[1]
        good = np.asarray(np.isfinite(points).all(axis=1))
        np.logical_and.at(good, tracks.track, depth > 0)
        tracks, points = tracks.some(good), points[good]
        if len(tracks) == 0:
            return None
        cameras, points = _bundle(tracks, cameras, points)
    moved = np.unique(tracks.view).tolist()
    turn, scale, shift = similarity(cameras[moved], given[moved])
    poses = given.world_to_camera.clone()
    poses[moved] = carried(cameras[moved], turn, scale, shift).world_to_camera
    return given.unchecked(poses, given.intrinsics), scale * points @ turn.numpy().T + shift.numpy()


def _bundle(tracks: Tracks, cameras: Cameras, points: np.ndarray) -> tuple[Cameras, np.ndarray]:
    """Poses and points of least reprojection error; observations that are far off count for less."""
    with quiet_pycolmap() as pycolmap:
        scene = pycolmap.Reconstruction()
        place = np.zeros(len(tracks.view), dtype=np.int64)  # of each observation, among those of its view
        for i in range(len(cameras)):
            of = np.flatnonzero(tracks.view == i)
            place[of] = np.arange(len(of))
            scene.add_camera_with_trivial_rig(_pinhole(cameras, i))
            image = pycolmap.Image(name=str(i), keypoints=tracks.pixels[of], camera_id=i + 1, image_id=i + 1)
            pose = pycolmap.Rigid3d(cameras.world_to_camera[i, :3].numpy())
            scene.add_image_with_trivial_frame(image, pose)
        starts = np.flatnonzero(np.diff(tracks.track, prepend=-1)).tolist()
        numbers = []
        for point, low, high in zip(points, starts, [*starts[1:], len(tracks.track)], strict=True):
            seen = [pycolmap.TrackElement(int(tracks.view[k]) + 1, int(place[k])) for k in range(low, high)]
            numbers.append(scene.add_point3D(point, pycolmap.Track(seen)))
        options = pycolmap.BundleAdjustmentOptions()
        options.refine_focal_length = options.refine_extra_params = options.print_summary = False
        options.ceres.loss_function_type = pycolmap.LossFunctionType.CAUCHY
        options.ceres.solver_options.num_threads = 1
        with caught("stderr") as lines:  # its log does not obey the level
            pycolmap.bundle_adjustment(scene, options)
        hand_on([line for line in lines if ".cc:" not in line], "stderr")
    poses = cameras.world_to_camera.clone()
    for i in range(len(cameras)):
        poses[i, :3] = torch.from_numpy(scene.images[i + 1].cam_from_world().matrix())
    found = np.stack([scene.points3D[number].xyz for number in numbers])
    return cameras.unchecked(poses, cameras.intrinsics), found
