"""The single-threaded process that starts pods and outlives none of them."""
