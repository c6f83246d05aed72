import * as pulumi from "@pulumi/pulumi";
import { expect, test } from "vitest";
import {
  access,
  gateway,
  made,
  OllamaModel,
  server,
} from "../../../test-support/components/mocked-program.ts";

// Slow resources delay only those that depend on them.

const names = () => made.map(({ name }) => name);
const never = pulumi.output(new Promise<string>(() => undefined));

test("images and volumes are created while the network is still pending", async () => {
  const network = { name: "slow", networkName: never };
  server("early", { network });
  gateway("early-gate", { network });
  for (const name of ["early-image", "early-models", "early-gate-image"])
    await expect.poll(names).toContain(name);
  expect(names()).not.toContain("early-container");
});

test("the gateway's image is built while a model is still being pulled, but its container waits", async () => {
  const model = new OllamaModel("slow", {
    serverUrl: never,
    server: { container: "x-ollama", volume: "x-ollama-models" },
    access,
    model: "slow:1b",
    source: "slow:1b",
    insecure: false,
    digest: undefined,
    changes: {},
    keepSource: false,
    repair: undefined,
    retain: false,
    stallSeconds: 60,
  });
  gateway("patient", { after: [model] });
  await expect.poll(names).toContain("patient-image-disposal");
  expect(names()).not.toContain("patient-container");
});
