"""Code that runs alone, stdlib only: the spawner beside `sandboxd`, the agent inside each pod.

Every module that the agent imports delays every pod, so dear ones (dataclasses, subprocess, asyncio) stay out of it.
"""
