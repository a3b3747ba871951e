"""What decides about photographs before a run sees them: masks, outlines, cutting, and which cameras are refused."""

from __future__ import annotations

from dataclasses import dataclass

from .group import TINY, TRIED, UNASKED, Group, constant

MASKS = (
    "measured: benchmarks/masks.py, all numbers of masks together, on path-traced clay and painted fennecs"
)
HOLES = "benchmarks/holes.py, 13 shapes"


@dataclass(frozen=True)
class Photographs(Group):
    """Masks, outlines and cutting, in `scenes.photographs`."""

    # Masks from a background of one colour. Levels are bytes of sRGB, of the channel that differs most.
    faint: float = constant(
        20, "levels", "Pixels nearer to the background's colour are never object.", MASKS, least=0
    )
    contrast: float = constant(
        24, "levels", "The object differs at least so much from the background.", MASKS, least=0
    )
    same: float = constant(
        32,
        "levels",
        "A background is of one colour if most of the borders differ by no more.",
        MASKS,
        least=0,
    )
    surely: float = constant(
        2.0, "times the contrast", "Beyond, a pixel is object although stray things have its colour.", MASKS
    )
    rounds: int = constant(
        3, "rounds", "Colours are learned from masks, and masks from colours, so often.", MASKS
    )
    learn: int = constant(640, "pixels", "Colours are learned from images that are no longer.", MASKS)
    far: float = constant(
        0.02, "share", "Pixels farther from the mask, of the longest side, are background.", MASKS
    )
    stray: float = constant(
        0.01, "share", "An object stands alone if other things cover no more of its area.", MASKS
    )
    speck: float = constant(
        0.02, "share", "Pieces smaller than this, of the largest one, are dropped.", MASKS
    )
    pit: float = constant(1.5e-4, "share", "Holes smaller than this, of the image, are filled.", MASKS)
    dark: float = constant(0.3, "share", "A hole that shows less background than this is a shadow.", MASKS)
    all_around: float = constant(
        0.98, "share", "A mask of most of the image that covers so much of its border is refused as inverted.",
        "chosen: an object that fills the border and has a hole inside is rarer than an inverted mask",
    )  # fmt: skip

    # Outlines.
    band: int = constant(
        2, "pixels", "Pixels so near to an outline may show both object and background.", MASKS
    )
    alike: float = constant(
        1e-4, "white²", "Object and background of smaller contrast look the same.", MASKS, least=TINY
    )
    better: float = constant(
        5e-5, "white²", "A colour from farther away explains a pixel better by this.", MASKS
    )

    # What views say about each other's masks.
    fewest: int = constant(
        4,
        "views",
        "With fewer, no mask is corrected by the others.",
        "derived: of fewer, none can be outvoted",
    )
    dissent: float = constant(0.1, "share", "So many views, and at least one, may be wrong about a place.")
    most: float = constant(0.3, "share", "A mask that would lose more has another fault, and stays as it is.")
    shared: float = constant(
        0.5, "share", "A hole is real if other views see through more than this of its way through the object.",
        f"vote: each cell on the way has one, and half is the majority; checked by {HOLES}",
    )  # fmt: skip

    # Cutting photographs to the object.
    small: int = constant(400, "pixels", "Photographs no longer than this are not cut.")
    margin: float = constant(0.25, "share", "A cut leaves this of the object's width and height around it.")
    saving: float = constant(0.2, "share", "Photographs are cut if that saves so many of the pixels.")
    least_left: float = constant(
        0.05, "share", "If undistorting leaves fewer of a photograph's pixels, its coefficients are refused."
    )


@dataclass(frozen=True)
class Matching(Group):
    """Spots that two photographs show, in `scenes.photographs.matching`: what speaks for cameras or against them."""

    features: int = constant(
        8192, "features", "Of a photograph, at most.", "derived: COLMAP's default", least=2
    )
    surroundings: int = constant(
        32, "pixels", "Features may look so far beyond the mask.",
        "chosen: a descriptor of SIFT reaches 6 times its scale to each side, and few scales exceed 5 pixels",
    )  # fmt: skip
    ratio: float = constant(
        0.8, "share", "The best partner of a feature is nearer by this than the second best.",
        "derived: as published for SIFT, Lowe 2004",
    )  # fmt: skip
    found: float = constant(
        1.0, "pixels", "Features are found so exactly.",
        "derived: the grid on which they are looked for", least=TINY,
    )  # fmt: skip
    angle: float = constant(
        45.0, "degrees", "Views that look apart by more are not matched.",
        "chosen: a bound of the work; SIFT finds fewer partners the farther views look apart",
    )  # fmt: skip
    partners: int = constant(
        16, "views", "Those that look most alike, with which a view is matched before a run.",
        "chosen: a bound of the work, linear in the views", least=2,
    )  # fmt: skip


@dataclass(frozen=True)
class Structure(Group):
    """Cameras from photographs alone, in `scenes.from_photographs`."""

    longest: int = constant(
        1600, "pixels", "Photographs are made smaller than this before features are looked for.", least=64
    )
    features: int = constant(4096, "features", "Of a photograph, about.", least=16)
    fewest: int = constant(
        60, "features", "A photograph with fewer shows nothing to recognise.",
        "derived: four times the matches that COLMAP asks of a pair",
    )  # fmt: skip
    ratio: float = constant(
        0.8, "share", "The best partner of a feature is nearer by this than the second best.",
        "derived: as published for SIFT, Lowe 2004",
    )  # fmt: skip
    few: int = constant(24, "photographs", "Of so many, all pairs are matched.")
    coarse: int = constant(
        1000, "features", "With more photographs, the coarsest features tell which look alike."
    )
    partners: int = constant(16, "photographs", "Each is matched with so many that look like it.")
    next: int = constant(3, "photographs", "Each is matched with so many that come next by name.")
    span: float = constant(
        10.0, "degrees", "Cameras that see the object from directions closer together see one side of it.",
        "chosen: a step from one photograph to the next, as docs/formats/photographs.md advises",
    )  # fmt: skip
    block: int = constant(64, "pairs", "What is matched at a time, and lost where the work is interrupted.")

    examined: int = constant(
        640, "pixels", "Frames of a video are made smaller than this to compare their sharpness and motion.",
        least=64,
    )  # fmt: skip

    adjusted: float = constant(
        1e-3, "observations", "Cameras are adjusted until a step lowers the error by less than that of so many.",
        "measured: benchmarks/measurements/photographs_alone.md, When adjusting ends; seven captures",
    )  # fmt: skip

    circle: float = constant(
        0.02, "of the distance", "Cameras that see an axis in one place and direction within this may be one at rest.",
        "chosen: turntables are within 0.002 in the median before they are adjusted; a walk by hand was not measured",
    )  # fmt: skip

    # Where the object is, without masks.
    flat: float = constant(0.03, "radii", "A table's points lie in its plane within this.")
    level: float = constant(40.0, "degrees", "A table is tilted by less against the photographs' own up.")
    below: float = constant(0.05, "share", "A plane is no table if more of the points lie below it.")
    held: float = constant(
        0.98, "share", "The ball around the object holds so many of the points above the table."
    )
    spare: float = constant(1.1, "times", "The ball is larger by this than what it holds.")


@dataclass(frozen=True)
class Outlining(Group):
    """The object's outlines in photographs without masks, in `reconstruct.starts.outlines`."""

    side: int = constant(
        400, "pixels", "Photographs are made smaller than this to find the solid they show.", least=64
    )
    cells: int = constant(112, "cells", "Of the solid's grid, along the ball's cube.", least=16)
    blocks: tuple[float, ...] = constant(
        (8.0, 6.0, 4.0, 3.0), "cells",
        "After the first solid, one for each of these: what is nearer on a ray is decided together.",
    )  # fmt: skip
    area: float = constant(0.05, "nepers", "Of likelihood in a mean photograph, for each face between cells.")
    doubt: float = constant(
        4.0, "nepers", "A pixel's logarithm of likelihoods counts for no more.", least=TINY
    )
    edge: float = constant(
        8.0, "nepers", "Of likelihood, for a pixel of an outline where colours do not change."
    )
    slope: float = constant(2.0, "nepers", "A cell beside the solid's outline, a pixel is so much likelier.")
    beside: int = constant(2, "pixels", "Beside an outline nothing is learned.")
    wider: float = constant(
        1.25, "times", "A ball that cuts the solid off grows by this until it does not.", least=1.0
    )
    bins: int = constant(24, "bins", "Of each colour.", least=2)
    unseen: float = constant(
        0.1, "share", "Of the object's colours, and of others, so many were not learned.", least=TINY
    )
    other: float = constant(
        0.001, "share", "Of what may be the table, at least so much is something else.", least=TINY
    )
    dark: float = constant(
        8.0, "levels of 255", "Added before logarithms: noise of dark pixels counts less.", least=TINY
    )
    ringing: float = constant(
        0.02,
        "share",
        "Beside what differs, colours are off by this of the difference: JPEG's blocks.",
        least=0.0,
    )
    reach: float = constant(2.5, "radii", "So far the table is looked at.")
    profile: float = constant(
        4.0, "pixels", "To either side of an outline edges are looked for.",
        "measured: of 2, 2.5, 3, 4 and 6 on two captures; see photographs_alone.md", least=2.0,
    )  # fmt: skip
    edge_width: float = constant(
        0.7, "pixels", "Standard deviation of an edge's blur.",
        "measured: of 0.4, 0.55 and 0.7, the least to one side; see photographs_alone.md", least=TINY,
    )  # fmt: skip
    edge_doubt: float = constant(
        1.0, "pixels", "Standard deviation of what is known of an edge's place beforehand.", least=TINY
    )
    stretch: float = constant(
        16.0, "pixels", "Along an outline, evidence is moved by what edges say in so many.",
        "measured: 8, 16 and 32 on four captures; see photographs_alone.md", least=1.0,
    )  # fmt: skip
    squares: int = constant(640, "squares", "Of the table, along a side.", least=16)
    fewest: int = constant(
        3, "photographs", "A place of the table that fewer show free has the look of all.",
        "derived: of two, none is in the middle",
    )  # fmt: skip
    steady: float = constant(
        4.0,
        "times",
        "Where photographs of a camera at rest differ by more than this of what is usual, something turns.",
        least=1.0,
    )
    agreeing: float = constant(
        0.5, "share", "Of what a photograph or the solid has for the object, both have more.",
        "vote: each pixel has one, and half is the majority",
    )  # fmt: skip
    holding: float = constant(
        0.67, "share", "Of the points above the table, the solid holds more.",
        "chosen: 0.56 for a ball that has its table's pattern, a third of which was lost; 0.81 for a hand-held fennec",
    )  # fmt: skip


@dataclass(frozen=True)
class Checks(Group):
    """Which cameras and meshes are refused, in `scenes.sanity`. A refusal can be overruled only here."""

    one_place: float = constant(
        1e-6, "of their distance from the origin", "Cameras nearer together than this are in one place.",
        "derived: 32-bit floats keep seven digits, and turning a pose round loses one",
    )  # fmt: skip
    parallax: float = constant(
        1 / 200, "of the distance to the object", "Cameras nearer together than this cannot tell depth.",
        "derived: below, a pixel in a mask moves the object by its own size",
    )  # fmt: skip
    units: float = constant(
        30.0, "times", "A mesh larger or smaller by more than this than the masks show is in other units.",
        "chosen: no crop, table or rim explains so much, and a wrong unit is mostly 1000", least=1.0)  # fmt: skip
    away: float = constant(10.0, "radii", "A mesh farther away from the object than this lies elsewhere.")
    shortest_focal: float = constant(
        0.05,
        "image sides",
        "Shorter focal lengths are no pixels.",
        "derived: an angle of view of 168 degrees",
    )
    longest_focal: float = constant(
        1e5,
        "image sides",
        "Longer focal lengths are no pixels.",
        "derived: an angle of view of 2 seconds of arc",
    )
    together: float = constant(
        0.12, "share", "Principal points that differ by less lie at one fraction of the image."
    )
    least_middle: float = constant(
        0.3, "share", "If that fraction is smaller, images were resized after calibration.",
        "derived: images twice as large as calibrated have 0.25, and all others but cropped ones 0.5",
    )  # fmt: skip
    most_middle: float = constant(
        0.8, "share", "The same, if it is larger.", "derived: images half as large as calibrated have 1"
    )
    overlap: float = constant(
        0.5, "share", "A start mesh whose outlines overlap the masks by less is told to lie elsewhere.",
        "vote: more of the pixels against it than for it",
    )  # fmt: skip

    turned: float = constant(
        0.5, "share", "Photographs are turned back if masks agree on less of the object as they are, on more so.",
        "vote: more of the pixels against it than for it",
    )  # fmt: skip

    def ascending(self) -> tuple[tuple[str, str], ...]:
        """See `Group`."""
        return ("shortest_focal", "longest_focal"), ("least_middle", "most_middle")


@dataclass(frozen=True)
class Carving(Group):
    """Hulls, and which start a run takes, in `scenes.carving` and `reconstruct.starts`."""

    tolerances: tuple[tuple[float, float], ...] = constant(
        ((0.0, 0.0), (0.0, 1.0), (0.03, 1.0), (0.06, 2.0), (0.12, 3.0)), "(share of views, pixels)",
        "So many views may disagree, by so many pixels of a mask; tried in this order.", UNASKED,
    )  # fmt: skip
    covered: float = constant(
        0.98, "share", "A hull that explains so much of the masks needs no larger tolerance.", UNASKED
    )
    confirmed: float = constant(
        0.05, "radii", "A view confirms points of a hull within this distance.", UNASKED
    )
    erosions: tuple[float, ...] = constant(
        (0.5, 1.0, 1.5, 2.0), "cells", "Taken off the parts that no view confirms, in this order.", UNASKED
    )
    thickenings: tuple[float, ...] = constant(
        (0.5, 0.75, 1.0),
        "cells",
        "Added where the grid has torn holes that no mask shows, in this order.",
        TRIED,
    )
    smallest_hole: float = constant(
        3e-4, "share", "Holes smaller than this, of their mask, are noise at an outline.", UNASKED
    )
    fewest_pixels: float = constant(4.0, "pixels", "The same, whatever the mask's size.", UNASKED)
    speck: float = constant(
        0.05, "share", "Parts of a hull that extend less, of the largest one, are dropped.", UNASKED
    )
    speck_volume: float = constant(
        0.001, "share", "Parts of less volume, of the largest one, are dropped too.", UNASKED
    )
    sheet: float = constant(
        0.13, "radii", "If the largest sphere inside the masks is smaller, a run starts from the hull.",
        "measured: benchmarks/starts.py, 16 shapes",
    )  # fmt: skip
    smallest_sphere: float = constant(0.05, "radii", "The sphere to start from is no smaller.", UNASKED)
    start_share: float = constant(
        0.9, "share", "Of the largest sphere inside all masks, so much is the start.", TRIED
    )


@dataclass(frozen=True)
class Topology(Group):
    """Handles, cavities and parts that a surface gains or loses on the way, in `reconstruct.topology`."""

    folds: int = constant(
        4, "folds", "Photographs are foretold by those of the other folds.",
        "measured: benchmarks/measurements/constants.md; mug: twice is the same, half leaves half of the cavity",
        least=2,
    )  # fmt: skip
    doubted: tuple[float, ...] = constant(
        (1 / 16, 1 / 8, 1 / 4), "share", "Of the surface, what photographs doubt most, may sink in.",
        "measured: benchmarks/measurements/constants.md; mug: half and twice are the same",
    )  # fmt: skip
    depths: tuple[float, ...] = constant(
        (1 / 8, 1 / 4, 1 / 2, 3 / 4, 7 / 8), "share", "Of the way through the object, so deep.",
        "derived: halves, and halves of what is left to either side",
    )  # fmt: skip
    walls: tuple[int, ...] = constant(
        (4, 2, 1), "cells", "The rest of the surface keeps walls so thick.",
        "measured: benchmarks/measurements/constants.md; mug: half and twice are the same",
    )  # fmt: skip
    seers: tuple[int, ...] = constant(
        (2, 1), "photographs", "What so many see through is empty; the first that is better.",
        "derived: one photograph's mask may be wrong, two agree only by what is there",
    )  # fmt: skip
    rings: int = constant(
        2, "edges, cells", "Gaps in a part that sinks in, and rims of plugs, are so wide.",
        "measured: benchmarks/measurements/constants.md; mug: half and twice differ by 1 %",
    )  # fmt: skip
