"""A start and step sizes for a family of tasks, learned from tasks of that family."""

from .descent import Descent as Descent
from .learned import Learned as Learned
from .meta import Task as Task
from .meta import adapt as adapt
from .meta import meta_learn as meta_learn
