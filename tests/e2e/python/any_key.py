"""Asks each operation with one key after another: an admin's, one that nobody has, one that is used up, and none."""

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
    given = {name: value for name, value in case.headers.items() if name.lower() not in ("authorization", "x-api-key")}
    case.headers = given if key is None else {**given, "Authorization": f"Bearer {key}"}
