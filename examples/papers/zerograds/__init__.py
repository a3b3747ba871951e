"""ZeroGrads (Fischer and Ritschel 2024): a network learns the loss around the parameters, and gives its gradient."""

from ..records import Experiment
from .caustic import caustic
from .led import led, led_blender
from .mesh import mesh
from .mlp import mlp
from .texture import texture
from .toy import rosenbrock_valley, toy
from .vae import vae

EXPERIMENTS: dict[str, Experiment] = {
    "toy": toy,
    "rosenbrock": rosenbrock_valley,
    "caustic": caustic,
    "texture": texture,
    "mlp": mlp,
    "vae": vae,
    "mesh": mesh,
    "led": led,
    "led_blender": led_blender,
}
