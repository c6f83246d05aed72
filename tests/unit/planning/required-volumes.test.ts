import { afterAll, expect, it } from "vitest";
import { requireVolumes } from "../../../components/planning/required-volumes.ts";
import { FakeDocker } from "../../../test-support/fakes/fake-docker.ts";

const docker = new FakeDocker();
afterAll(() => {
  docker.remove();
});
const check = () =>
  requireVolumes(
    {
      modelVolume: "shared",
      gatewayUsageVolume: "",
      gatewayBaseImage: "node:24",
      dockerHost: "",
      dockerCertPath: "",
    },
    "x-ollama",
  );
const existing = { "volume inspect shared": "[{}]", "container ls": "x-gateway\n" };
const probe = "run --rm --pull never";

it("rejects a model volume that another user owns, with the command that gives it to root", async () => {
  docker.mock({ ...existing, [probe]: '"EACCES"' });
  await expect(check()).rejects.toThrow(
    /^Ollama's container cannot write to the volume shared \(modelVolume\) \(EACCES\), .* chown -R 0:0 \/models$/,
  );
});

it("accepts a model volume that Ollama can write to, and one that cannot be checked yet", async () => {
  docker.mock({ ...existing, [probe]: "null" });
  await check();
  docker.mock({ ...existing, [probe]: { fails: "No such image: node:24" } });
  await check();
});

it("does not check a volume that Ollama runs with", async () => {
  docker.mock({ ...existing, "container ls": "x-ollama\n" });
  await check();
  expect(docker.calls.filter((call) => call.startsWith("run"))).toEqual([]);
});

it("reports an engine that does not list the volume, which may exist", async () => {
  docker.mock({ "volume inspect": { fails: "context deadline exceeded" } });
  await expect(check()).rejects.toThrow(
    "The volume shared (modelVolume) cannot be inspected: docker volume failed: context deadline exceeded. Run",
  );
});

it("rejects a missing volume with the command that creates it", async () => {
  docker.mock({ "volume inspect": { fails: "no such volume" } });
  await expect(check()).rejects.toThrow("docker volume create shared");
});
