"""What runs inside the guest. Stdlib and `hpack` only: it is mounted at /member without the rest of the product."""
