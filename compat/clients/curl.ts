import assert from "node:assert/strict";
import {
  type CurlExample,
  curlExamples,
  shapeOfResponse,
} from "../../test-support/apis/ollama-curl-examples.ts";
import { versions } from "../../toolchain/binaries.ts";
import type { Client, Scenario } from "../client.ts";

const examples = ({ model }: { readonly model: string }) =>
  curlExamples({ text: model, vision: model, embedding: model });

/** One example uses a missing model, and one contains comments, which are invalid JSON. */
function expectedStatus({ body = "" }: CurlExample): number {
  if (body.includes("missing")) return 404;
  return body.includes("// ") ? 400 : 200;
}

/** The curl examples of Ollama's documentation. */
export const curl: Client = {
  name: "curl examples of Ollama's documentation",
  version: versions.ollama,
  scenarios: Object.fromEntries(
    examples({ model: "" }).map(({ name }, index): [string, Scenario] => [
      name,
      async ({ url, model }) => {
        const example = examples({ model })[index];
        assert.ok(example);
        const { status } = await shapeOfResponse(url, example);
        assert.equal(status, expectedStatus(example));
      },
    ]),
  ),
};
