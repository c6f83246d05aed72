import { statfs } from "node:fs/promises";
import { hostname, tmpdir } from "node:os";
import { afterAll, describe, expect, it } from "vitest";
import { freeBytes } from "../../../components/planning/models/disk-space.ts";
import { type FakeResponse, FakeDocker } from "../../../test-support/fakes/fake-docker.ts";

// A fake Docker client responds for the container, the engine and its volume.

const docker = new FakeDocker();
afterAll(() => {
  docker.remove();
});

const place = {
  name: "models",
  container: "x-ollama",
  path: "/root/.ollama",
  engine: { dockerHost: "", dockerCertPath: "" },
};
const df = "container exec x-ollama df -Pk /root/.ollama";
const noDf = { fails: 'exec: "df": executable file not found in $PATH: unknown' };
const here = { name: hostname(), root: tmpdir() };
const volume = (values: object) =>
  JSON.stringify([{ Driver: "local", Mountpoint: "/var/lib/none/of/that", Options: null, ...values }]);

/** Returns the free bytes on a host if the engine responds like this to `df` and `docker volume inspect`. */
async function measureFreeBytes(responses: {
  df?: FakeResponse;
  host?: typeof here;
  volume?: FakeResponse;
}): Promise<number | undefined> {
  docker.mock({
    [df]: responses.df ?? noDf,
    "volume inspect models": responses.volume ?? { fails: "Error: No such volume: models" },
  });
  return await freeBytes({ ...place, host: responses.host ?? here });
}

/** Expects the free space of a folder of this machine, with a tolerance for writes in the meantime. */
async function expectFreeAt(path: string, bytes: number | undefined): Promise<void> {
  const { bavail, bsize } = await statfs(path);
  expect(Math.abs((bytes ?? NaN) / (bavail * bsize) - 1)).toBeLessThan(0.1);
}

describe("the free space for models", () => {
  it("is what df reports in Ollama's container, without further requests to the engine", async () => {
    const text =
      "Filesystem     1024-blocks     Used Available Capacity Mounted on\n" +
      "/dev/mapper/vg-data   61202244 12345678  48856566      21% /root/.ollama\n";
    expect(await measureFreeBytes({ df: text })).toBe(48_856_566 * 1024);
    expect(docker.calls).toEqual([df]);
  });

  it.each<[string, FakeResponse]>([
    ["the image has no df", noDf],
    ["the container does not run", { fails: "Error: No such container: x-ollama" }],
    ["the output of df is invalid", "df: /root/.ollama: can't find mount point\n"],
    ["df prints nothing", ""],
  ])("is that of the engine's folder on this machine if %s", async (_why, response) => {
    await expectFreeAt(tmpdir(), await measureFreeBytes({ df: response }));
    await expectFreeAt(tmpdir(), await measureFreeBytes({ df: response, volume: volume({}) }));
  });

  it("is that of the volume's own folder if it has one", async () => {
    await expectFreeAt(
      "/",
      await measureFreeBytes({ host: { ...here, root: "/none" }, volume: volume({ Mountpoint: "/" }) }),
    );
    const bind = volume({ Options: { type: "none", o: "bind", device: "/" } });
    await expectFreeAt("/", await measureFreeBytes({ host: { ...here, root: "/none" }, volume: bind }));
  });

  it.each([
    ["the engine is on another machine", { host: { ...here, name: "another-host" } }],
    ["the volume cannot be inspected", { volume: { fails: "context deadline exceeded" } }],
    ["a plugin manages the volume", { volume: volume({ Driver: "nfs" }) }],
    ["the volume is a file system that is not mounted", { volume: volume({ Options: { type: "tmpfs" } }) }],
  ])("is unknown if df is missing and %s", async (_why, responses) => {
    expect(await measureFreeBytes(responses)).toBeUndefined();
  });
});
