"""The plan: ``CASCADE.md`` in, a checked ``Cascade`` of tasks out. Pure but for ``load_cascade``."""

from nova_async.cascade.cascade import Cascade, Task
from nova_async.cascade.diagnostics import CascadeError, Diagnostic
from nova_async.cascade.load import load_cascade
from nova_async.cascade.milestones import Milestone
from nova_async.cascade.options import TaskOptions, parse_option
from nova_async.cascade.order import Order
from nova_async.cascade.reading import parse_cascade
from nova_async.cascade.settings import RunSettings

__all__ = [
    "Cascade",
    "CascadeError",
    "Diagnostic",
    "Milestone",
    "Order",
    "RunSettings",
    "Task",
    "TaskOptions",
    "load_cascade",
    "parse_cascade",
    "parse_option",
]
