"""The processes of the service.

A start makes hundreds of thousands of objects that stay. Python looks through them after each 700 that are made:
to look less often saves an eighth of the CPU of a start.
"""

import gc

gc.set_threshold(50_000)
