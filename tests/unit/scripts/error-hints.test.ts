import { describe, expect, it } from "vitest";
import { explain } from "../../../scripts/cli/error-hints.ts";

// The provider's error, which appears twice, first with its source location.
const providerError = (resource: string, reason: string) =>
  `${resource}:   sdk-v2/provider2.go:571: sdk.helper_schema: Unable to read Docker image into resource: ${reason}: provider=docker@5.2.0
${resource}: 1 error occurred:
\t* Unable to read Docker image into resource: ${reason}`;
const pullError = (image: string, why: string) =>
  `unable to pull image ${image}: error pulling image ${image}: Error response from daemon: ${why}`;

const dns = `Get "https://nowhere.test/v2/": dial tcp: lookup nowhere.test on 10.0.0.2:53: no such host`;
const pinned = `r.test:5000/a/b:1@sha256:${"0".repeat(64)}`;

describe("the hint for an image that cannot be pulled", () => {
  it.each([
    ["ollama-image", pullError("nowhere.test/none:1", dns), "ollamaImage", "nowhere.test/none:1", dns],
    [
      "gateway-base-image",
      pullError(pinned, "manifest unknown"),
      "gatewayBaseImage",
      pinned,
      "manifest unknown",
    ],
    ["prometheus-image", pullError("p:3", "denied"), "prometheusImage", "p:3", "denied"],
    ["edge-image", "unable to find or pull image a:1", "edgeImage", "a:1", "its registry gave none"],
  ])("names its config key in one line: %s", (resource, reason, key, image, why) => {
    const line = explain(`error: update failed\n${providerError(resource, reason)}\n`) ?? "";
    expect(line.split("\n")).toHaveLength(1);
    expect(
      line.startsWith(`${key} is "${image}", which the engine lacks and cannot pull: ${why}. Check`),
    ).toBe(true);
    expect(line).toContain(`pulumi config set ${key} IMAGE`);
  });

  it("is given for no other failure, nor for an image that this project builds", () => {
    expect(explain("ollama-container: unable to create container")).toBeUndefined();
    expect(explain(providerError("gateway-image", pullError("a:1", dns)))).toBeUndefined();
  });
});

it("suggests another name or login for a stack that the state lacks", () => {
  expect(explain("error: no stack named 'dev' found")).toBe(
    "See the stacks of this state with: npm run pulumi -- stack ls. If it is deployed, use the login or PULUMI_BACKEND_URL that it was deployed with; to create it: npm run up -- --stack dev",
  );
});
