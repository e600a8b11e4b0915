"""AMQP 0-9-1 with frames of our own."""

from .copies import Copies
from .decoder import KINDS, Amqp, cannot

__all__ = ["KINDS", "Amqp", "Copies", "cannot"]
