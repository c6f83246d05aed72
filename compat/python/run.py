"""Runs the scenarios of a module with a service, and prints their results as JSON: null, or the error.

Arguments: the module, the URL of the service, the model, and the replies of the model as JSON.
"""

import importlib
import json
import sys

module, url, model, replies = sys.argv[1], sys.argv[2], sys.argv[3], json.loads(sys.argv[4])


def outcome(scenario):
    try:
        scenario()
    except Exception as error:  # Any error of a client is its result.
        return f"{type(error).__name__}: {error}"
    return None


clients = importlib.import_module(module).clients(url, model, replies)
print(json.dumps({name: {each: outcome(run) for each, run in runs.items()} for name, runs in clients.items()}))
