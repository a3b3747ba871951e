"""Triangle soups: 12 numbers a triangle, none of which belongs to another one."""

from __future__ import annotations

import torch
from torch import Tensor

from largesteps_zg.cameras import Cameras
from largesteps_zg.estimators import PixelLosses
from largesteps_zg.images.losses import pixel_losses
from largesteps_zg.renderers import BlackBox

from .descent import inherit

UNSEEN = 16  # steps after which a triangle that no pixel showed is dead
SMALLEST = 0.05  # pixels of area, below which it is dead, too
AT_ONCE = 50  # of so many triangles one is made anew at a time
LARGE = 3.0  # times the smallest area that can be cut in two


class Soup:
    """Triangles (T, 3, 3) and their colours (T, 3) before a camera that sees x and y as pixels of the image.

    The third coordinate, in pixels too, says who is in front. `losses` is what an estimator is given; it notes which
    triangles the pixels showed.
    """

    def __init__(self, target: Tensor, renderer: BlackBox) -> None:
        height, width = target.shape[:2]
        self.shape, self.renderer = (height, width), renderer
        self.target = torch.cat([target, torch.ones(height, width, 1)], -1)[None]
        far = 100.0 * height  # nearly no perspective
        intrinsics = torch.tensor([[far, 0, 0], [0, far, 0], [0, 0, 1.0]])
        pose = torch.eye(4)
        pose[2, 3] = far
        self.cameras = Cameras(pose[None], intrinsics[None], height, width)
        self.unseen = torch.zeros(0)

    def start(self, count: int, generator: torch.Generator, spread: float = 1.0) -> tuple[Tensor, Tensor]:
        """Grey triangles, together twice as large as the image, around whose middle they lie."""
        size = torch.tensor([self.shape[1], self.shape[0], 10.0])
        edge = (4 * self.shape[0] * self.shape[1] / count) ** 0.5
        middle = size * (0.5 + spread * (torch.rand(count, 1, 3, generator=generator) - 0.5))
        corners = edge * torch.randn(count, 3, 2, generator=generator)
        self.unseen = torch.zeros(count)
        flat = torch.nn.functional.pad(corners, (0, 1))
        return middle + flat, torch.full((count, 3), 0.5)

    def draw(self, triangles: Tensor, colors: Tensor) -> tuple[Tensor, Tensor]:
        """The image (1, H, W, 4), and whose each pixel is."""
        faces = torch.arange(3 * len(triangles), dtype=torch.int32).view(-1, 3)
        paint = colors[:, None].expand(-1, 3, -1).reshape(-1, 3)
        made = self.renderer(triangles.reshape(-1, 3), faces, paint, self.cameras)
        return made.images, made.primitives

    def losses(self, triangles: Tensor, colors: Tensor) -> PixelLosses:
        """The squared difference of each pixel; a triangle is a row of both tensors."""
        images, made = self.draw(triangles, colors)
        self.unseen[made[made >= 0].long()] = -1  # 0 after `age`
        return PixelLosses(pixel_losses(images, self.target, kind="l2"), made)

    def error(self, triangles: Tensor, colors: Tensor) -> float:
        """Mean squared difference of red, green and blue."""
        images, _ = self.draw(triangles, colors)
        return float((images - self.target)[..., :3].square().mean())

    def age(self) -> None:
        """One step more for what no pixel showed."""
        self.unseen += 1

    @torch.no_grad()
    def resample(self, triangles: Tensor, colors: Tensor, optimizer: torch.optim.Optimizer) -> int:
        """Each dead triangle becomes half of a large one, cut at its longest edge; how many did."""
        edges = triangles.roll(-1, 1) - triangles
        area = 0.5 * (edges[:, 0, 0] * edges[:, 1, 1] - edges[:, 0, 1] * edges[:, 1, 0]).abs()
        dead = ((self.unseen >= UNSEEN) | (area < SMALLEST)).nonzero().flatten()
        large = (area >= LARGE * SMALLEST) & (self.unseen < UNSEEN)
        number = min(len(dead), int(large.sum()), max(1, len(area) // AT_ONCE))
        if not number:
            return 0
        whole = torch.where(large, area, 0).topk(number).indices
        dead = dead[:number]
        corner = edges[whole].norm(dim=-1).argmax(1)
        one = torch.arange(number)
        first, second = triangles[whole, corner], triangles[whole, (corner + 1) % 3]
        middle = (first + second) / 2
        halves = triangles[whole]
        halves[one, corner] = middle
        triangles[whole, (corner + 1) % 3] = middle
        triangles[dead] = halves
        colors[dead] = colors[whole]
        inherit(optimizer, dead, whole)
        self.unseen[dead] = self.unseen[whole] = 0
        return number
