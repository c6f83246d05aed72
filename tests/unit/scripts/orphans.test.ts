import { afterAll, afterEach, describe, expect, it, vi } from "vitest";
import { PulumiFailed } from "../../../scripts/stack/pulumi-cli.ts";
import { retryAfterRemovingOrphans } from "../../../scripts/update/orphans.ts";
import { FakeDocker } from "../../../test-support/fakes/fake-docker.ts";

const docker = new FakeDocker();
const cli = new FakeDocker("pulumi");
const log = vi.spyOn(console, "error").mockReturnValue();
afterEach(() => {
  log.mockClear();
});
afterAll(() => {
  log.mockRestore();
  cli.remove();
  docker.remove();
});

const conflict = new PulumiFailed(255, "network with name x already exists", "", true);
const at = (seconds: number) => new Date(Date.UTC(2020, 0, 2, 3, 4, seconds)).toISOString();
const objectCreated = (id: string, seconds: number) =>
  JSON.stringify([{ Id: id, Name: `/${id}`, Created: at(seconds) }]);

interface Scene {
  /** When the network was created; a failed update ran from 10 to 20 s, a successful one from 30 to 40 s. */
  readonly networkAt?: number;
  readonly containerAt?: number;
  readonly inState?: readonly string[];
  /** The engine's error when the network is removed. */
  readonly refusal?: string;
}

/** Runs updates that fail with the given errors and then succeed; returns how many ran. */
async function update(
  { networkAt, containerAt, inState = [], refusal }: Scene,
  ...errors: readonly Error[]
): Promise<number> {
  docker.mock({
    "network ls": networkAt === undefined ? "" : "net",
    "network inspect": objectCreated("net", networkAt ?? 0),
    "network rm net": refusal === undefined ? "net" : { fails: refusal },
    "container ls": containerAt === undefined ? "" : "box",
    "container inspect": objectCreated("box", containerAt ?? 0),
    "container rm box": "box",
  });
  const run = (result: string, from: number) => ({ result, startTime: at(from), endTime: at(from + 10) });
  const resources = inState.map((id) => ({ urn: `urn::${id}`, type: "docker:index/network:Network", id }));
  cli.mock({
    "stack history": JSON.stringify([run("succeeded", 30), run("failed", 10)]),
    "stack export": JSON.stringify({ deployment: { resources } }),
  });
  let runs = 0;
  await retryAfterRemovingOrphans(
    "dev",
    () => "",
    process.env,
    () => {
      const error = errors[runs];
      runs += 1;
      return error === undefined ? Promise.resolve() : Promise.reject(error);
    },
  );
  return runs;
}

const removals = () => docker.calls.filter((call) => call.includes(" rm "));

describe("an update that fails", () => {
  it("removes a network and a container that an earlier failed one created, and continues", async () => {
    expect(await update({ networkAt: 15, containerAt: 20 }, conflict)).toBe(2);
    expect(removals()).toEqual(["network rm net", "container rm box"]);
    expect(log.mock.calls.flat()).toEqual([
      "Removed the network net, which an earlier failed update had created.",
      "Removed the container box, which an earlier failed update had created.",
      "Continuing.",
    ]);
  });

  it("keeps a network that is in use, and reports its own error", async () => {
    const refusal = "Error response from daemon: network x has active endpoints";
    await expect(update({ networkAt: 15, refusal }, conflict)).rejects.toBe(conflict);
    // Without --force.
    expect(removals()).toEqual(["network rm net"]);
    expect(log).not.toHaveBeenCalled();
  });

  it.each<[string, Scene]>([
    ["somebody else created between the updates", { networkAt: 25 }],
    ["a successful update created", { networkAt: 35 }],
    ["is in the state", { networkAt: 15, inState: ["net"] }],
    ["is newer than the failed update", { networkAt: 22 }],
  ])("keeps a network that %s", async (_what, scene) => {
    await expect(update(scene, conflict)).rejects.toBe(conflict);
    expect(removals()).toEqual([]);
  });

  it("removes nothing if the program failed for another reason than the CLI", async () => {
    const error = new Error("the script's own");
    await expect(update({ networkAt: 15 }, error)).rejects.toBe(error);
    expect(docker.calls).toEqual([]);
  });
});

it("containers that have been started are no candidates, because they are in use", async () => {
  await expect(update({}, conflict)).rejects.toBe(conflict);
  expect(docker.calls.find((call) => call.startsWith("container ls"))).toContain("--filter status=created");
});

it("an object that is created while the update runs is kept, because a concurrent one may use the name", async () => {
  vi.useFakeTimers({ toFake: ["Date"], now: Date.parse(at(12)) });
  try {
    await expect(update({ networkAt: 15 }, conflict)).rejects.toBe(conflict);
    expect(removals()).toEqual([]);
  } finally {
    vi.useRealTimers();
  }
});
