"""Schemathesis hook that rotates the keys of each operation: an admin's, an unknown one, a used-up one, and none."""

import collections
import itertools
import os

import any_model  # noqa: F401
import schemathesis

admin, limited = os.environ["ADMIN_KEY"], os.environ["LIMITED_KEY"]
keys = collections.defaultdict(lambda: itertools.cycle([admin, "sk-nobody", admin, limited, admin, None]))


@schemathesis.hook
def before_call(context, case, kwargs):
    key = next(keys[context.operation.label])
    others = {name: value for name, value in case.headers.items() if name.lower() not in ("authorization", "x-api-key")}
    case.headers = others if key is None else {**others, "Authorization": f"Bearer {key}"}
