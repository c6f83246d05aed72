import { describe, expect, it } from "vitest";
import { explain } from "../../../scripts/cli/error-hints.ts";

// What the provider says, once with its place in its code and once more.
const provider = (resource: string, said: string) =>
  `${resource}:   sdk-v2/provider2.go:571: sdk.helper_schema: Unable to read Docker image into resource: ${said}: provider=docker@5.2.0
${resource}: 1 error occurred:
\t* Unable to read Docker image into resource: ${said}`;
const pull = (image: string, why: string) =>
  `unable to pull image ${image}: error pulling image ${image}: Error response from daemon: ${why}`;

const dns = `Get "https://nowhere.test/v2/": dial tcp: lookup nowhere.test on 10.0.0.2:53: no such host`;
const pinned = `r.test:5000/a/b:1@sha256:${"0".repeat(64)}`;

describe("an image that the engine lacks and cannot pull is told in one line, with its key", () => {
  it.each([
    ["ollama-image", pull("nowhere.test/none:1", dns), "ollamaImage", "nowhere.test/none:1", dns],
    ["gateway-base-image", pull(pinned, "manifest unknown"), "gatewayBaseImage", pinned, "manifest unknown"],
    ["edge-image", "unable to find or pull image a:1", "edgeImage", "a:1", "its registry gave none"],
  ])("%s", (resource, said, key, image, why) => {
    const line = explain(`error: update failed\n${provider(resource, said)}\n`) ?? "";
    expect(line.split("\n")).toHaveLength(1);
    expect(
      line.startsWith(`${key} is "${image}", which the engine lacks and cannot pull: ${why}. Check`),
    ).toBe(true);
    expect(line).toContain(`pulumi config set ${key} IMAGE`);
  });

  it("but not another failure, nor an image that this project builds", () => {
    expect(explain("ollama-container: unable to create container")).toBeUndefined();
    expect(explain(provider("gateway-image", pull("a:1", dns)))).toBeUndefined();
  });
});

it("a stack that a state does not have may be another login's", () => {
  expect(explain("error: no stack named 'dev' found")).toBe(
    "This state has no such stack. If it is deployed, use the login or PULUMI_BACKEND_URL that it was deployed with; to make it: npm run up -- --stack NAME",
  );
});
