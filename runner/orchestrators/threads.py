"""Variables that keep numeric libraries to a step's processors, the same on every flavor."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

NAMES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS", "POLARS_MAX_THREADS")


def thread_variables(resources: Mapping[str, Any]) -> dict[str, str]:
    """What a library reads when it is loaded; nothing for a step that does not say how many processors it takes."""
    if "cpu_count" not in resources:
        return {}
    return dict.fromkeys(NAMES, str(math.ceil(resources["cpu_count"])))
