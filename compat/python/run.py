"""Runs the clients of a module with a service, and prints as JSON what came of each scenario: null, or the error.

Arguments: the module, the service's URL, its model, and as JSON what the model says.
"""

import importlib
import json
import sys

module, url, model, says = sys.argv[1], sys.argv[2], sys.argv[3], json.loads(sys.argv[4])


def outcome(scenario):
    try:
        scenario()
    except Exception as error:  # Whatever a client throws is its result.
        return f"{type(error).__name__}: {error}"
    return None


clients = importlib.import_module(module).clients(url, model, says)
print(json.dumps({name: {each: outcome(run) for each, run in runs.items()} for name, runs in clients.items()}))
