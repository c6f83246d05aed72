"""What Schemathesis makes up is asked of the model that is there: of any other, all that is learnt is that it is not."""

import schemathesis


@schemathesis.hook
def map_body(context, body):
    if isinstance(body, dict) and isinstance(body.get("model"), str) and body["model"]:
        return {**body, "model": "m"}
    return body
