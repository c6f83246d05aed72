import { statfs } from "node:fs/promises";
import { hostname, tmpdir } from "node:os";
import { afterAll, describe, expect, it } from "vitest";
import { freeBytes } from "../../../components/planning/models/disk-space.ts";
import { type FakeResponse, FakeDocker } from "../../../test-support/fakes/fake-docker.ts";

// Which free space is meant: a fake client of Docker answers for the container, the engine and its volume.

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
const here = `${hostname()}\t${tmpdir()}\n`;
const volume = (values: object) =>
  JSON.stringify([{ Driver: "local", Mountpoint: "/var/lib/none/of/that", Options: null, ...values }]);

/** Free bytes by an engine that answers so: of `df`, of itself, of the volume. */
async function free(answers: {
  df?: FakeResponse;
  info?: FakeResponse;
  volume?: FakeResponse;
}): Promise<number | undefined> {
  docker.mock({
    [df]: answers.df ?? noDf,
    info: answers.info ?? here,
    "volume inspect models": answers.volume ?? { fails: "Error: No such volume: models" },
  });
  return await freeBytes(place);
}

/** Whether that is what a folder of this machine has; a little is written there meanwhile. */
async function expectFreeAt(path: string, bytes: number | undefined): Promise<void> {
  const { bavail, bsize } = await statfs(path);
  expect(Math.abs((bytes ?? NaN) / (bavail * bsize) - 1)).toBeLessThan(0.1);
}

describe("what is free where the engine keeps the models", () => {
  it("is what df says in Ollama's container, in bytes; nobody else is asked then", async () => {
    const text =
      "Filesystem     1024-blocks     Used Available Capacity Mounted on\n" +
      "/dev/mapper/vg-data   61202244 12345678  48856566      21% /root/.ollama\n";
    expect(await free({ df: text })).toBe(48_856_566 * 1024);
    expect(docker.calls).toEqual([df]);
  });

  it.each<[string, FakeResponse]>([
    ["the image has no df", noDf],
    ["the container does not run", { fails: "Error: No such container: x-ollama" }],
    ["df says nothing that can be read", "df: /root/.ollama: can't find mount point\n"],
    ["df says nothing", ""],
  ])("is what the engine's folder has when %s and the engine is on this machine", async (_why, answer) => {
    await expectFreeAt(tmpdir(), await free({ df: answer }));
    await expectFreeAt(tmpdir(), await free({ df: answer, volume: volume({}) }));
  });

  it("is what the volume's own place has, where it has one", async () => {
    await expectFreeAt(
      "/",
      await free({ info: `${hostname()}\t/none\n`, volume: volume({ Mountpoint: "/" }) }),
    );
    const bind = volume({ Options: { type: "none", o: "bind", device: "/" } });
    await expectFreeAt("/", await free({ info: `${hostname()}\t/none\n`, volume: bind }));
  });

  it.each([
    ["the engine is on another machine", { info: `another-host\t${tmpdir()}\n` }],
    ["the engine does not respond", { info: { fails: "Cannot connect to the Docker daemon" } }],
    ["a plug-in keeps the volume", { volume: volume({ Driver: "nfs" }) }],
    ["the volume is a file system that is not mounted", { volume: volume({ Options: { type: "tmpfs" } }) }],
  ])("is not known when df is not there and %s", async (_why, answers) => {
    expect(await free(answers)).toBeUndefined();
  });
});
