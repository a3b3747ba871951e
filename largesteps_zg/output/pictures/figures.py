"""Pictures of a run: targets beside results, the loss, the way from the first shape to the last.

These functions take plain arrays and know nothing of their origin. Images are float, linear RGB premultiplied by alpha,
alpha last, row 0 on top; they are shown over white. Files are whole or absent.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray
from PIL import Image, ImageDraw

from ..._support.atomic import atomic_path
from . import drawing
from .drawing import ACCENT, FAINT, GAP, GREY, INK, MARGIN, PALE, PANEL, TEXT, WHITE


def save_comparison(
    path: str | os.PathLike[str],
    targets: ArrayLike,
    results: ArrayLike,
    *,
    surfaces: ArrayLike | None = None,
    names: Sequence[str] | None = None,
) -> None:
    """Write a grid with one row per view: target, result, its bare surface, and the difference.

    The error is the mean absolute difference of the four channels, with colours in sRGB over black. So a wrong outline
    shows even where the object has the colour of the background. All rows share one colour scale and one size: each
    view loses empty borders of the same width.

    Parameters
    ----------
    path
        PNG file to write.
    targets, results
        (B, H, W, 4) images. A pixel of a result that is not finite counts as wholly wrong.
    surfaces
        (B, H, W, 4), the results without colours (`bare_images`); default none.
    names
        B row labels; default none.

    Raises
    ------
    ValueError
        If the images differ in shape, or if there are not as many names as images.
    OSError
        If the file cannot be written.
    """
    whole = _same_views(targets, results, surfaces)
    drawing.check_count("names", names, len(whole[0]))

    mean = float(drawing.absolute_errors(*whole[:2]).mean())  # of the whole images, before they are cut
    groups = drawing.cropped(list(np.stack(whole, axis=1)))
    true, made, *shapes = (np.stack([group[side] for group in groups]) for side in range(len(groups[0])))
    errors = drawing.absolute_errors(true, made)
    inside = drawing.covered(true, made)
    # Not the maximum: outlines are always a pixel or two off, and would leave the surface without contrast.
    top = drawing.nice_ceiling(float(np.quantile(errors[inside], 0.97)) if inside.any() else 0.0)
    difference = np.where(inside[..., None], drawing.error_colors(errors / top), np.uint8(255))
    images = *map(drawing.displayed, (true, made, *shapes)), difference
    headings = "Target", "Reconstruction", *["Surface" for _ in shapes], "Error"
    columns = [[drawing.fit(image) for image in column] for column in images]

    width, height = columns[0][0].size
    left = MARGIN + (TEXT + GAP if names else 0)  # row labels read upwards, beside the pictures
    above = MARGIN + TEXT + GAP
    bar = above + len(true) * (height + GAP) + 4
    sheet = Image.new(
        "RGB", (left + len(images) * (width + GAP) - GAP + MARGIN, bar + 18 + TEXT + MARGIN), WHITE
    )
    for number, (heading, column) in enumerate(zip(headings, columns, strict=True)):
        x = left + number * (width + GAP)
        drawing.write(sheet, (x + width / 2, above - GAP), heading, anchor="ms")
        for row, picture in enumerate(column):
            sheet.paste(picture, (x, above + row * (height + GAP)))
    for row, name in enumerate(names or ()):
        drawing.write_upright(
            sheet, (MARGIN + TEXT // 2, above + row * (height + GAP) + height // 2), name, height
        )
    drawing.color_bar(sheet, (left + (len(images) - 1) * (width + GAP), bar), width, top)
    drawing.write(sheet, (left, bar + 6), f"mean error {mean:.2g}", anchor="lm", size=TEXT - 4)
    with atomic_path(path) as part:
        drawing.save_png(part, sheet)


def _same_views(targets: ArrayLike, results: ArrayLike, surfaces: ArrayLike | None) -> list[np.ndarray]:
    """Targets, results and, if there are some, surfaces: images of one shape."""
    whole = [drawing.as_images("targets", targets)]
    for name, given in (("results", results), ("surfaces", surfaces)):
        if given is None:
            continue
        images = drawing.as_images(name, given)
        if images.shape != whole[0].shape:
            raise ValueError(
                f"{name}: expected the shape of targets, {whole[0].shape}, got {images.shape}; render the same views"
            )
        whole.append(images)
    return whole


def save_loss_curve(
    path: str | os.PathLike[str], losses: Sequence[float], *, events: Mapping[int, str] | None = None
) -> None:
    """Write the loss of every step on a logarithmic scale, with its running mean and the events of the run.

    Parameters
    ----------
    path
        PNG file to write.
    losses
        One number per step, from step 0. Numbers that are not finite or not positive are left out.
    events
        Step -> a word or two, such as ``{200: "remeshed"}``.

    Raises
    ------
    ValueError
        If there is no loss.
    OSError
        If the file cannot be written.
    """
    values = np.asarray(losses, dtype=np.float64)
    if values.ndim != 1 or len(values) == 0:
        raise ValueError(
            f"losses: expected at least one number, got shape {values.shape}; run at least one step"
        )
    values = np.where(np.isfinite(values) & (values > 0), values, np.nan)

    matplotlib = drawing.plotting()
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    with matplotlib.rc_context(drawing.PLOT_STYLE):
        figure = Figure(figsize=(7.2, 3.4), layout="constrained")
        FigureCanvasAgg(figure)  # without pyplot: no window, and nothing to close
        axes = figure.add_subplot()
        axes.set_yscale("log")
        axes.plot(values, color=PALE, linewidth=0.8, marker="." if len(values) < 3 else None)
        trend = drawing.running_mean(values)
        axes.plot(trend, color=ACCENT, linewidth=1.6)
        axes.set_xlim(0, max(len(values) - 1, 1))
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=8, steps=[1, 2, 5, 10]))
        axes.grid(True, which="major", color="#e4e4e8", linewidth=0.6)
        axes.grid(True, which="minor", axis="y", color="#f2f2f5", linewidth=0.4)
        axes.set_axisbelow(True)
        axes.tick_params(which="both", length=0)
        axes.spines[["top", "right"]].set_visible(False)
        axes.set_xlabel("step")
        axes.set_ylabel("loss")
        middle = np.sqrt(np.prod(axes.get_ylim()))
        for step, label in sorted((events or {}).items()):
            axes.axvline(step, color=GREY, linewidth=0.7, linestyle=(0, (3, 3)))
            high = trend[min(max(step, 0), len(trend) - 1)] > middle  # then the curve leaves room below
            axes.annotate(
                label,
                (step, 0 if high else 1),
                xycoords=("data", "axes fraction"),
                xytext=(4, 4 if high else -4),
                textcoords="offset points",
                rotation=90,
                va="bottom" if high else "top",
                fontsize=10,
                color=GREY,
                bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 1},
            )
        with atomic_path(path) as part:
            figure.savefig(part, format="png", dpi=160, facecolor="white")


def save_progression(
    path: str | os.PathLike[str],
    frames: Sequence[ArrayLike],
    *,
    surfaces: Sequence[ArrayLike] | None = None,
    target: ArrayLike | None = None,
    labels: Sequence[str] | None = None,
    milliseconds: int = 80,
    limit: int = 3_000_000,
) -> None:
    """Write an animated GIF from the first frame to the last, with the target beside it.

    It loops and rests on the last frame. It is a GIF because that moves wherever pictures are shown.

    Parameters
    ----------
    path
        GIF file to write.
    frames
        At least one (H, W, 4) image.
    surfaces
        One (H, W, 4) image per frame, the same without colours (`bare_images`), shown beside it; default none.
    target
        (H, W, 4), what the frames should become; default none.
    labels
        One per frame, such as ``"step 120"``; default none.
    milliseconds
        Time for one frame, at least 20; GIF counts in hundredths of a second.
    limit
        Bytes. A larger file is made again with smaller pictures, down to 96 pixels.

    Raises
    ------
    ValueError
        If there is no frame, if shapes differ, or if there are not as many labels as frames.
    OSError
        If the file cannot be written.
    """
    drawing.check_count("labels", labels, len(frames))
    if surfaces is not None and len(surfaces) != len(frames):
        raise ValueError(f"surfaces: expected {len(frames)}, one for each frame, got {len(surfaces)}")
    pictures = _stages(frames, target, None, surfaces or ())
    goal = pictures.pop() if target is not None else None
    pictures, shapes = pictures[: len(frames)], pictures[len(frames) :]
    side = PANEL
    while True:
        sheets = [
            _animation_sheet(
                (picture, shapes[index] if shapes else None, goal),
                labels[index] if labels else "",
                (index + 1) / len(pictures),
                side,
            )
            for index, picture in enumerate(pictures)
        ]
        content = drawing.encode_gif(sheets, milliseconds)
        if len(content) <= limit or side <= 96:
            break
        side = max(96, int(side * 0.85))
    with atomic_path(path) as part:
        part.write_bytes(content)


def _animation_sheet(
    pictures: tuple[NDArray[np.uint8] | None, ...], label: str, progress: float, side: int
) -> Image.Image:
    """One picture of the animation: frame, surface and target, captions, and a line that grows."""
    named = zip(pictures, (label, "surface", "target"), strict=True)
    shown = [(drawing.fit(image, side), caption) for image, caption in named if image is not None]
    width, height = shown[0][0].size
    margin, text = GAP, max(11, round(TEXT * side / PANEL))
    sheet = Image.new(
        "RGB", (2 * margin + len(shown) * (width + GAP) - GAP, height + 4 * margin + text), WHITE
    )
    for column, (image, caption) in enumerate(shown):
        x = margin + column * (width + GAP)
        sheet.paste(image, (x, margin))
        drawing.write(sheet, (x + width / 2, margin + height + text / 2), caption, size=text)
    line = sheet.height - margin
    right = sheet.width - margin - 1
    draw = ImageDraw.Draw(sheet)
    draw.line([(margin, line), (right, line)], fill=FAINT, width=2)
    draw.line([(margin, line), (margin + (right - margin) * progress, line)], fill=INK, width=2)
    return sheet


def save_filmstrip(
    path: str | os.PathLike[str],
    frames: Sequence[ArrayLike],
    *,
    target: ArrayLike | None = None,
    labels: Sequence[str] | None = None,
) -> None:
    """Write the stages side by side into one PNG, the target last, behind a thin rule.

    Parameters
    ----------
    path
        PNG file to write.
    frames
        At least one (H, W, 4) image, first to last.
    target
        (H, W, 4), what the frames should become; default none.
    labels
        One per frame, written below it; default none.

    Raises
    ------
    ValueError
        If there is no frame, if shapes differ, or if there are not as many labels as frames.
    OSError
        If the file cannot be written.
    """
    pictures = [drawing.fit(image) for image in _stages(frames, target, labels)]
    captions = [*(labels or [""] * len(frames)), *(["target"] if target is not None else [])]
    width, height = pictures[0].size
    below = GAP + TEXT if any(captions) else 0
    rule = 2 * GAP if target is not None else 0  # extra room between the stages and the target
    sheet = Image.new(
        "RGB", (2 * MARGIN + len(pictures) * (width + GAP) - GAP + rule, 2 * MARGIN + height + below), WHITE
    )
    for column, (picture, caption) in enumerate(zip(pictures, captions, strict=True)):
        x = MARGIN + column * (width + GAP) + (rule if column == len(frames) else 0)
        sheet.paste(picture, (x, MARGIN))
        drawing.write(sheet, (x + width / 2, MARGIN + height + GAP + TEXT), caption, anchor="ms")
    if target is not None:
        x = sheet.width - MARGIN - width - (rule + GAP) // 2
        ImageDraw.Draw(sheet).line([(x, MARGIN), (x, sheet.height - MARGIN)], fill=FAINT, width=1)
    with atomic_path(path) as part:
        drawing.save_png(part, sheet)


def _stages(
    frames: Sequence[ArrayLike],
    target: ArrayLike | None,
    labels: Sequence[str] | None,
    surfaces: Sequence[ArrayLike] = (),
) -> list[NDArray[np.uint8]]:
    """The frames, their surfaces, and the target: checked, cropped alike, and converted for display."""
    if len(frames) == 0:
        raise ValueError(
            "frames: expected at least one image, got none; keep the first and the last of a run"
        )
    drawing.check_count("labels", labels, len(frames))
    shape = np.asarray(frames[0]).shape
    named = {"frames": frames, "surfaces": surfaces, "target": () if target is None else (target,)}

    def images() -> Iterator[NDArray[np.float32]]:  # one at a time: all of them are gigabytes
        for name, given in named.items():
            for index, image in enumerate(map(np.asarray, given)):
                if image.shape != shape:
                    which = name if name == "target" else f"{name}[{index}]"
                    raise ValueError(
                        f"{which}: expected the shape of the first frame, {shape}, got {image.shape}; "
                        "render all at one size"
                    )
                yield drawing.as_images(name, image[None])[0]

    [cut] = drawing.windows([images()])
    return [drawing.displayed(image[cut]) for image in images()]
