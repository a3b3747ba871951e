"""Masks found before a background, on drawn photographs whose mask is known; and what other views deny."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import trimesh
from scene_files import ring, views_of_spheres
from scipy.ndimage import binary_dilation, gaussian_filter, label

from largesteps_zg.cameras import sphere_of_cameras
from largesteps_zg.renderers import render
from largesteps_zg.scenes import Views
from largesteps_zg.scenes.photographs.agreement import consistent, without_pits
from largesteps_zg.scenes.photographs.masking import check_mask, enclosed, masks_from_background
from largesteps_zg.scenes.photographs.matting import matted, softened

HEIGHT, WIDTH = 120, 160
STONE = np.array([190, 170, 130])


def grid() -> tuple[np.ndarray, np.ndarray]:
    y, x = np.mgrid[:HEIGHT, :WIDTH] + 0.5
    return x - WIDTH / 2, y - HEIGHT / 2


def ring_mask(shift: float = 0.0) -> np.ndarray:
    """An annulus: an object with a hole."""
    x, y = grid()
    radius = np.hypot(x - shift, y)
    return (radius < 45) & (radius > 15)


def photograph(
    mask: np.ndarray, background, *, seed: int = 0, shade: float = 0.5, blur: float = 0.6
) -> np.ndarray:
    """Stone that is lit from the left before a background (H, W, 3) or (3,), with noise."""
    generator = np.random.default_rng(seed)
    x, _ = grid()
    lit = STONE * (1 - shade * (x / 45).clip(-1, 1) * 0.5 - shade * 0.5)[..., None]
    lit = lit + generator.normal(0, 6, (HEIGHT, WIDTH, 1))
    share = gaussian_filter(mask.astype(float), blur)[..., None]
    # As a lens does it: in light, not in the levels of a file.
    light = share * lit.clip(0) ** 2.2 + (1 - share) * np.asarray(background, dtype=float) ** 2.2
    image = light ** (1 / 2.2)
    return (image + generator.normal(0, 1.5, image.shape)).clip(0, 255).astype(np.uint8)


def overlap(a: np.ndarray, b: np.ndarray) -> float:
    return (a & b).sum() / (a | b).sum()


def photographs(background, **options) -> tuple[list[np.ndarray], list[np.ndarray]]:
    masks = [ring_mask(shift) for shift in (-6, 0, 9)]
    return [photograph(mask, background, seed=i, **options) for i, mask in enumerate(masks)], masks


@pytest.mark.slow
@pytest.mark.parametrize(
    "background",
    [(3, 2, 2), (250, 250, 248), (30, 200, 60), (40, 60, 150)],
    ids=["black", "white", "green", "blue"],
)
@pytest.mark.parametrize("given", [False, True])
def test_an_object_with_a_hole_before_one_colour(background: tuple, given: bool) -> None:
    images, masks = photographs(background)
    found = masks_from_background(images, background if given else "auto")
    for mask, expected in zip(found, masks, strict=True):
        assert mask.dtype == bool
        assert overlap(mask, expected) > 0.97
        assert not mask[HEIGHT // 2, WIDTH // 2]  # the hole


def test_outlines_are_in_the_middle_of_the_blur() -> None:
    images, masks = photographs((0, 0, 0), shade=0.1, blur=1.0)
    for mask, expected in zip(masks_from_background(images), masks, strict=True):
        # A ring of one pixel would be 7 % of the area.
        assert mask.sum() == pytest.approx(expected.sum(), rel=0.01)


def cloth() -> np.ndarray:
    """Black, but for grey cloth with folds behind the lower part of the object, as bright as its shadows."""
    x, y = grid()
    levels = np.where(y > 25, 48 + 14 * np.sin(x / 5), 2.0)
    return levels[..., None] * np.array([1.0, 0.93, 0.96])


def test_dark_cloth_is_background_and_shadows_are_object() -> None:
    masks = [ring_mask(shift) for shift in (-6, 0, 9)]
    images = []
    for i, mask in enumerate(masks):
        image = photograph(mask, cloth(), seed=i).astype(float)
        x, y = grid()
        # Brown and as bright as the cloth: across the object and out to its outline, and within it, as in a groove.
        shadow = mask & ((np.abs(y + 20) < 3) | ((np.abs(y - 20) < 6) & (np.abs(x - 20) < 4)))
        image[shadow] = np.array([58, 46, 26]) + np.random.default_rng(i).normal(0, 3, (shadow.sum(), 3))
        images.append(image.clip(0, 255).astype(np.uint8))
    for mask, expected in zip(masks_from_background(images), masks, strict=True):
        assert overlap(mask, expected) > 0.96


def test_dark_paint_is_object_where_nothing_else_differs_from_the_background() -> None:
    """Bright enough to tell, but nearer to the background than to the rest of the object; also across the outline."""
    images, masks = photographs((3, 2, 2), shade=0.2)
    x, y = grid()
    for i, (image, mask) in enumerate(zip(images, masks, strict=True)):
        paint = mask & ((np.abs(y) < 12) | (x > 20) | (y > 30))
        image[paint] = np.array([34, 36, 52]) + np.random.default_rng(i).integers(-3, 4, (paint.sum(), 1))
    for mask, expected in zip(masks_from_background(images), masks, strict=True):
        assert overlap(mask, expected) > 0.95


def test_holes_of_a_mask_touch_the_outside_nowhere() -> None:
    picture = """
        #######.
        #..#.###
        ####.##.
        #.#####.
        .###.##.
    """
    mask = np.array([[c == "#" for c in line] for line in picture.split()])
    expected = np.zeros(mask.shape, dtype=int)
    expected[1, 1:3], expected[1:3, 4] = 1, 2  # the rest meets the border, one of them across a corner
    assert np.array_equal(enclosed(mask), expected)
    assert (
        not enclosed(np.ones((2, 2), dtype=bool)).any() and not enclosed(np.zeros((2, 2), dtype=bool)).any()
    )


def test_specks_and_pits_are_dropped_but_two_large_parts_stay() -> None:
    x, y = grid()
    parts = (np.hypot(x - 40, y) < 25) | (np.hypot(x + 40, y) < 18)
    image = photograph(parts, (2, 2, 2), shade=0.2)
    image[5:7, 5:7] = 220  # a speck
    image[60:62, 118:120] = 0  # a pit in the right part
    (mask,) = masks_from_background([image])
    assert label(mask)[1] == 2
    assert overlap(mask, parts) > 0.96
    assert mask[60:62, 118:120].all()
    assert not mask[:12, :12].any()


@pytest.mark.slow
def test_large_photographs_are_masked_at_their_own_size() -> None:
    # 960 wide: colours are learnt from every second pixel.
    expected = ring_mask().repeat(6, axis=0).repeat(6, axis=1)
    light = gaussian_filter(expected.astype(np.float32), 1.0)[..., None] * (STONE / 255) ** 2.2
    noise = np.random.default_rng(0).normal(0, 1.5, (*expected.shape, 3))
    image = (255 * light ** (1 / 2.2) + noise).clip(0, 255).astype(np.uint8)
    image[356:364, 656:664] = 0  # a pit: black, but too small for a hole
    (mask,) = masks_from_background([image])
    assert mask[356:364, 656:664].all()
    assert mask.shape == expected.shape
    assert overlap(mask, expected) > 0.98


def test_what_is_no_background_of_one_colour() -> None:
    clutter = np.random.default_rng(1).integers(0, 256, (2, HEIGHT, WIDTH, 3), dtype=np.uint8)
    assert masks_from_background(list(clutter)) is None
    x, _ = grid()
    stripes = np.where(x[..., None] % 30 < 15, 0, 255).repeat(3, axis=-1).astype(np.uint8)
    assert masks_from_background([stripes]) is None
    plain = np.full((HEIGHT, WIDTH, 3), 77, dtype=np.uint8)
    (mask,) = masks_from_background([plain])
    assert not mask.any()
    noise = (plain + np.random.default_rng(2).normal(0, 3, plain.shape)).astype(np.uint8)
    (mask,) = masks_from_background([noise])
    assert not mask.any()


def test_masks_that_say_nothing_are_refused() -> None:
    check_mask(np.array([[0, 255]], dtype=np.uint8), "a.png")
    with pytest.raises(ValueError, match=r"a\.png: mask is empty"):
        check_mask(np.array([[0, 127]], dtype=np.uint8), "a.png")
    with pytest.raises(ValueError, match=r"a\.png: mask covers the whole image"):
        check_mask(np.array([[128, 255]], dtype=np.uint8), "a.png")


# --- what other views deny -------------------------------------------------------------------------------------------

BALLS = ((0.0, 0, 0), 0.7), ((0.9, 0.2, 0), 0.3)


def test_what_only_one_view_has_is_taken_away() -> None:
    clean = views_of_spheres(ring(12, height=100, width=120), *BALLS)
    images = clean.images.clone()
    images[3, 2:20, 4:22, 3] = 255  # a corner that no other view has anything in
    images[5, 80:90, 50:60, 3] = 255
    dirty = Views(images, clean.cameras, clean.names)
    assert int((dirty.images[..., 3] != clean.images[..., 3]).sum()) > 350
    found = consistent(dirty)
    difference = (found.images[..., 3] != clean.images[..., 3]).flatten(1).sum(1)
    assert int(difference.max()) < 40  # beside the ball, where the grid is too coarse to tell
    assert int(found.images[3, 2:20, 4:22, 3].sum()) == 0
    assert torch.equal(found.images[..., :3], dirty.images[..., :3])
    assert (found.names, found.known) == (dirty.names, None)


def test_clean_masks_stay_as_they_are() -> None:
    clean = views_of_spheres(ring(12, height=100, width=120), *BALLS)
    assert torch.equal(consistent(clean).images, clean.images)


def test_one_mask_that_lacks_a_part_does_not_spoil_the_others() -> None:
    clean = views_of_spheres(ring(16, height=100, width=120), *BALLS)
    images = clean.images.clone()
    images[2, :, :60, 3] = 0
    found = consistent(Views(images, clean.cameras, clean.names))
    assert torch.equal(found.images, images)


@pytest.mark.parametrize("lacking", [1, 2])
def test_a_mask_is_judged_by_the_other_views(lacking: int) -> None:
    """Of 12 views one may be wrong about a place, and a view's own mask is none of those that judge it.

    In view 6 the small ball is drawn as a ring one pixel outside its outline, so that this view itself denies the ball.
    Where one other view lacks the ball as well, the other eleven allow it, and the ring beside it stays; where two lack
    it, they don't, and the ring goes. Pixels are large, so that a ring beside the ball is not within a cell of it.
    """
    cameras = ring(12, height=26, width=32)
    balls = BALLS[0], ((1.3, 0.2, 0.0), 0.3)
    clean = views_of_spheres(cameras, *balls)
    large, small = (views_of_spheres(cameras, ball).images[..., 3] for ball in balls)
    ball = small[6].numpy() > 0
    around = binary_dilation(ball) & ~ball
    assert not (binary_dilation(around, iterations=2) & (large[6].numpy() > 0)).any()
    images = clean.images.clone()
    images[6, ..., 3] = torch.where(torch.from_numpy(around), 255, large[6])
    for view in (2, 3)[:lacking]:  # in which the balls are apart too
        images[view, ..., 3] = large[view]
    found = consistent(Views(images, cameras, clean.names)).images[6, ..., 3].numpy()
    assert (found[around] > 0).mean() == (1.0 if lacking == 1 else 0.0)
    np.testing.assert_array_equal(found[~around], images[6, ..., 3].numpy()[~around])


def test_pixels_that_are_not_known_deny_nothing() -> None:
    clean = views_of_spheres(ring(12, height=100, width=120), *BALLS)
    images, known = clean.images.clone(), torch.ones(12, 100, 120, dtype=torch.bool)
    for view in range(4):  # as if these were photographs of half the width
        known[view, :, 62:] = False
        images[view, :, 62:] = 0
    found = consistent(Views(images, clean.cameras, clean.names, known))
    assert torch.equal(found.images, images)
    assert torch.equal(found.known, known)


def test_borders_that_are_unknown_in_all_photographs_do_not_spoil_it() -> None:
    """As where a lens was undone: the cones would go on there for ever."""
    clean = views_of_spheres(ring(12, height=100, width=120), *BALLS)
    images, known = clean.images.clone(), torch.zeros(12, 100, 120, dtype=torch.bool)
    known[:, 2:-2, 2:-2] = True
    images[3, 5:20, 5:22, 3] = 255  # a corner that no other view has anything in
    found = consistent(Views(images, clean.cameras, clean.names, known))
    assert torch.equal(found.images, clean.images)


def test_few_views_and_contradictions_are_left_alone() -> None:
    views = views_of_spheres(ring(12), ((0.0, 0, 0), 0.7))
    assert consistent(views[:3]) is not None
    assert torch.equal(consistent(views[:3]).images, views.images[:3])
    apart = views_of_spheres(ring(12), ((1.0, 0, 0), 0.3))
    mixed = Views(torch.cat([views.images[:6], apart.images[6:]]), views.cameras, views.names)
    assert torch.equal(consistent(mixed).images, mixed.images)


# --- holes, and dark places that look like some ----------------------------------------------------------------------


def views_of_a_ring(count: int = 20) -> Views:
    """A torus from all around, grey, with exact masks."""
    made = trimesh.creation.torus(0.7, 0.28, 64, 32)
    vertices = torch.tensor(made.vertices, dtype=torch.float32)
    cameras = sphere_of_cameras(count, distance=3.0, fov_y_degrees=42.0, height=96, width=112)
    alpha = render(vertices, torch.tensor(made.faces), torch.ones_like(vertices), cameras)[..., 3]
    images = torch.full((*alpha.shape, 4), 120, dtype=torch.uint8)
    images[..., 3] = 255 * (alpha > 0.5)
    return Views(images, cameras.to(dtype=torch.float64), tuple(f"r_{i:03d}" for i in range(count)))


def with_dark_places(views: Views, *places: tuple[float, float, float], size: float = 4.0) -> Views:
    """Masks that lack what is within some pixels of places on the torus, where a camera sees those from outside."""
    images = views.images.clone()
    v, u = torch.meshgrid(*(torch.arange(n) + 0.5 for n in images.shape[1:3]), indexing="ij")
    for place in torch.tensor(places, dtype=torch.float64):
        outwards = place - 0.7 * place * torch.tensor([1.0, 1.0, 0.0]) / place[:2].norm()
        facing = torch.nn.functional.cosine_similarity(views.cameras.centers - place, outwards[None]) > 0.65
        for view in facing.nonzero()[:, 0].tolist():
            x, y = views.cameras[view].project(place[None])[0][0, 0]
            images[view, ..., 3][(u - x).square() + (v - y).square() < size**2] = 0
    return Views(images, views.cameras, views.names)


@pytest.mark.slow
def test_dark_places_are_filled_and_holes_stay() -> None:
    clean = views_of_a_ring()
    dark = with_dark_places(clean, (0.7, 0.0, 0.28), (0.0, -0.98, 0.0), (-0.5, 0.5, -0.28))

    def holes(views: Views) -> list[int]:
        return [int(enclosed(image.numpy() > 127).max()) for image in views.images[..., 3]]

    before, after = holes(clean), holes(dark)
    assert sum(before) > 8 and sum(after) > sum(before) + 5
    found = without_pits(dark)
    for view in range(len(clean)):  # a place at the outline is a notch, and stays
        expected = dark if before[view] == after[view] else clean
        assert torch.equal(found.images[view], expected.images[view])
    assert torch.equal(without_pits(clean).images, clean.images)


def test_a_hole_that_one_view_alone_sees_is_filled_and_few_views_are_left_alone() -> None:
    clean = views_of_spheres(ring(12, height=100, width=120), ((0.0, 0, 0), 0.7))
    images = clean.images.clone()
    images[4, 45:55, 55:65, 3] = 0
    dark = Views(images, clean.cameras, clean.names)
    assert torch.equal(without_pits(dark).images, clean.images)
    assert torch.equal(without_pits(dark[3:6]).images, images[3:6])
    known = torch.ones(images.shape[:3], dtype=torch.bool)
    known[4, 45:55, 55:65] = False  # no hole, nothing is known there
    unknown = Views(images, clean.cameras, clean.names, known)
    assert torch.equal(without_pits(unknown).images, images)


# --- how much of a pixel is object -----------------------------------------------------------------------------------


@pytest.mark.parametrize("background", [(3, 2, 2), (30, 200, 60)], ids=["black", "green"])
def test_pixels_at_outlines_are_object_as_far_as_they_show_it(background: tuple) -> None:
    x, y = grid()
    share = ((30.25 - np.hypot(x, y)) + 0.5).clip(0, 1)[..., None]  # of a disc
    stone, rest = ((np.array(color) / 255.0) ** 2.2 for color in (STONE, background))
    image = (255 * (share * stone + (1 - share) * rest) ** (1 / 2.2)).round().astype(np.uint8)
    found = matted(np.concatenate([image, np.where(share > 0.5, 255, 0).astype(np.uint8)], axis=2))
    alpha = found[..., 3] / 255
    assert np.abs(alpha - share[..., 0]).max() < 0.03  # the curve of sRGB is not quite a power
    assert alpha.sum() == pytest.approx(np.pi * 30.25**2, rel=1e-3)
    # And nothing of the background's colour.
    assert np.abs(found[alpha > 0, :3].astype(int) - STONE).max() <= 3


def test_what_is_thin_or_as_dark_as_the_background_keeps_its_mask() -> None:
    line = np.zeros((20, 30, 4), dtype=np.uint8)
    line[9:12, 5:25] = 200, 190, 180, 255
    assert np.array_equal(matted(line), line)
    dark = np.zeros((40, 40, 4), dtype=np.uint8)
    dark[10:30, 10:30, 3] = 255
    assert np.array_equal(matted(dark), dark)
    assert not matted(np.full((8, 8, 4), 0, dtype=np.uint8)).any()


def one_view(image: np.ndarray, known: np.ndarray | None = None) -> Views:
    camera = ring(1, height=image.shape[0], width=image.shape[1])
    return Views(
        torch.from_numpy(image)[None],
        camera,
        ("a",),
        None if known is None else torch.from_numpy(known)[None],
    )


def test_steps_of_a_mask_become_the_line_between_them() -> None:
    x, y = grid()
    share = (30.25 - np.hypot(x - 0.3, y) + 0.5).clip(0, 1)
    image = np.full((HEIGHT, WIDTH, 4), 77, dtype=np.uint8)
    image[share > 0.5, :3] = STONE
    image[..., 3] = np.where(share > 0.5, 255, 0)
    found = softened(one_view(image)).images[0].numpy()
    outline = (share > 0) & (share < 1)
    off, steps = ((part[..., 3] / 255 - share)[outline] for part in (found, image))
    assert np.sqrt((off**2).mean()) < 0.5 * np.sqrt((steps**2).mean())
    assert (found[..., 3] / 255).sum() == pytest.approx(share.sum(), rel=2e-3)
    assert (np.abs(found[found[..., 3] > 0, :3].astype(int) - STONE) <= 1).all()
    soft = one_view(np.dstack([image[..., :3], np.rint(255 * share).astype(np.uint8)]))
    assert softened(soft) is soft


def test_what_is_thin_or_beside_what_is_not_known_keeps_its_steps() -> None:
    thin = np.zeros((20, 30, 4), dtype=np.uint8)
    thin[9, 5:25] = thin[3:5, 3:6] = 255
    assert np.array_equal(softened(one_view(thin)).images[0].numpy(), thin)
    whole = np.full((9, 9, 4), 255, dtype=np.uint8)
    assert np.array_equal(softened(one_view(whole)).images[0].numpy(), whole)
    half = np.zeros((20, 30, 4), dtype=np.uint8)
    row, column = np.mgrid[:20, :30]
    known = column < 15 + row // 3  # aslant: a straight border along the pixels has no steps
    half[known] = 255
    half[8:12, 4:8] = 0
    found = softened(one_view(half, known)).images[0].numpy()
    assert np.array_equal(found[:, 11:], half[:, 11:])  # a photograph ends here, not the object
    assert ((found[7:13, 3:9, 3] > 0) & (found[7:13, 3:9, 3] < 255)).any()
