import { expect, it } from "vitest";
import { newKey } from "../../../gateway/src/auth/api-keys.ts";
import { find, gateway, made, read } from "../../../test-support/components/mocked-program.ts";

const behindEdge = { behind: { gateways: ["x-used"], edge: "x-edge", timeoutSeconds: 300 } };

it("stores the usage of keys in an external volume, with a file for each container", async () => {
  const { line } = newKey("ada", []);
  await read(
    gateway("used", { usageVolume: "usage", apiKeys: [line], replicas: 2, published: behindEdge }).url,
  );
  for (const [container, file] of [
    ["used-container", "/usage/x-used.json"],
    ["used-2-container", "/usage/x-used-2.json"],
  ] as const) {
    const { envs, mounts } = find(container);
    expect(envs).toContain(`USAGE_FILE=${file}`);
    expect(mounts).toEqual([
      { type: "volume", source: "x-used-keys", target: "/keys", readOnly: true },
      { type: "volume", source: "usage", target: "/usage" },
    ]);
  }
  const volumes = made.filter(({ type }) => type === "docker:index/volume:Volume");
  expect(volumes.map(({ inputs }) => inputs["name"])).not.toContain("usage");
});
