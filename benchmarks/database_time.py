"""How long the database itself needs for what is asked of it, without what comes before and after."""

import re
from collections.abc import Callable
from typing import Any

from django.db import connection
from django.db.models import Model, QuerySet

_TIMES = 5


def time_in_database(make: Callable[[], QuerySet[Model]]) -> tuple[float, list[str]]:
    """Return how many milliseconds the database needs for the rows and for what is asked on the way, and the plans.

    Of each query the best of five times.
    """
    asked: list[tuple[str, Any]] = []

    def note(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        asked.append((sql, params))
        return execute(sql, params, many, context)

    with connection.execute_wrapper(note):
        list(make())
    total, plans = 0.0, []
    with connection.cursor() as cursor:
        for sql, params in asked:
            times = []
            for _ in range(_TIMES):
                cursor.execute(f"EXPLAIN ANALYZE {sql}", params)
                plan = "\n".join(line for [line] in cursor.fetchall())
                times += [float(ms) for ms in re.findall(r"Execution Time: ([\d.]+) ms", plan)]
            total += min(times)
            plans.append(plan)
    return total, plans
