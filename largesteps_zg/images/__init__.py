"""Pixels: colour, files, how two images are compared."""

from .color import linear_to_srgb as linear_to_srgb
from .color import srgb_to_linear as srgb_to_linear
from .likeness import mask_iou as mask_iou
from .likeness import psnr as psnr
