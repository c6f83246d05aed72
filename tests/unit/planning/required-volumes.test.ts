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
const there = { "volume inspect shared": "[{}]", "container ls": "x-gateway\n" };
const look = "run --rm --pull never";

it("a volume of models that another user owns is refused, with the command that gives it to root", async () => {
  docker.mock({ ...there, [look]: '"EACCES"' });
  await expect(check()).rejects.toThrow(
    /^Ollama's container cannot write to the volume shared \(modelVolume\) \(EACCES\), .* chown -R 0:0 \/models$/,
  );
});

it("a volume of models that Ollama can write is taken, and one that nobody can look at yet", async () => {
  docker.mock({ ...there, [look]: "null" });
  await check();
  docker.mock({ ...there, [look]: { fails: "No such image: node:24" } });
  await check();
});

it("a volume that Ollama runs with is not looked at", async () => {
  docker.mock({ ...there, "container ls": "x-ollama\n" });
  await check();
  expect(docker.calls.filter((call) => call.startsWith("run"))).toEqual([]);
});

it("a volume that is not there is refused, with the command that makes it", async () => {
  docker.mock({ "volume inspect": { fails: "no such volume" } });
  await expect(check()).rejects.toThrow("docker volume create shared");
});
