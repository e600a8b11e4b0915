"""gRPC over HTTP/2, with prior knowledge (no TLS, no upgrade)."""

from .decoder import KINDS, Grpc, cannot

__all__ = ["KINDS", "Grpc", "cannot"]
