import { expect, it } from "vitest";
import { rejectDockerOptions } from "../../../scripts/stack/docker-options.ts";

it.each([
  [
    { "update-models": true },
    "--update-models is for stacks on Docker. In a cluster, npm run pin -- --stack lab sets the digests of moved models, which the next npm run up pulls",
  ],
  [
    { disconnect: true },
    "--disconnect is for stacks on Docker. In a cluster, there is no network of the stack to which others could be connected",
  ],
  [
    { models: "keep" },
    "--models is for stacks on Docker. In a cluster, retainModels decides whether volumes are kept, and npm run purge -- --stack lab removes kept ones",
  ],
])("an option without effect in a cluster is rejected: %j", (options, message) => {
  expect(() => {
    rejectDockerOptions("lab", options);
  }).toThrow(message);
});

it("other options are accepted in a cluster", () => {
  const options = { yes: true, refresh: true, stack: "lab" };
  expect(() => {
    rejectDockerOptions("lab", options as object);
  }).not.toThrow();
});
