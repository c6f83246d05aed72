import { describe, expect, it } from "vitest";
import { neighbourAccess, neighbourWarning } from "../../../components/planning/network/neighbour-access.ts";
import {
  dropCommands,
  dropsForeignPackets,
  type PacketFilter,
} from "../../../components/planning/network/packet-filter.ts";

type EngineNetworking = Parameters<typeof neighbourAccess>[0];
const old: EngineNetworking = { ServerVersion: "20.10.24+dfsg1", OSType: "linux", OperatingSystem: "Debian" };

// The output of iptables after the commands were run.
const dropping: PacketFilter = {
  dockerUser: [
    "-N DOCKER-USER",
    "-A DOCKER-USER ! -i br-+ -o br-+ -m conntrack ! --ctstate RELATED,ESTABLISHED,DNAT -j DROP",
    "-A DOCKER-USER -j RETURN",
    "",
  ].join("\n"),
  rawPrerouting: "-P PREROUTING ACCEPT\n-A PREROUTING -d 127.0.0.0/8 ! -i lo -j DROP\n",
};
const untouched: PacketFilter = {
  dockerUser: "-N DOCKER-USER\n-A DOCKER-USER -j RETURN\n",
  rawPrerouting: "-P PREROUTING ACCEPT\n",
};
const read = (filter: PacketFilter | undefined) => () => Promise.resolve(filter);

describe("neighbours of the engine's host", () => {
  it.each<[string, Partial<EngineNetworking>]>([
    ["Docker 28", { ServerVersion: "28.0.0" }],
    ["a release candidate of Docker 28", { ServerVersion: "28.0.0-rc.1" }],
    ["Docker 29", { ServerVersion: "29.1.3" }],
    ["Docker 29 built from its Go module", { ServerVersion: "2.0.0-beta.24" }],
    ["an unknown version", { ServerVersion: "dev" }],
    ["Docker Desktop", { OperatingSystem: "Docker Desktop" }],
    ["a rootless engine", { SecurityOptions: ["name=seccomp,profile=default", "name=rootless"] }],
    ["Windows containers", { OSType: "windows" }],
  ])("are kept out by %s, whatever the packet filter of the host", async (_what, change) => {
    expect(await neighbourAccess({ ...old, ...change }, "", read(untouched))).toBe("closed");
  });

  it("are let in by an older engine unless its host drops their packets", async () => {
    expect(await neighbourAccess(old, "", read(untouched))).toBe("open");
    expect(await neighbourAccess(old, "unix:///run/docker.sock", read(dropping))).toBe("closed");
    expect(await neighbourAccess({ ...old, ServerVersion: "27.5.1" }, "", read(untouched))).toBe("open");
  });

  it("may be let in if the packet filter cannot be read: without root or on another machine", async () => {
    expect(await neighbourAccess(old, "", read(undefined))).toBe("unknown");
    const never = () =>
      Promise.reject(new Error("this machine's filter must not be read for a remote engine"));
    expect(await neighbourAccess(old, "ssh://ops@gpu-host", never)).toBe("unknown");
  });
});

describe("a host's packet filter", () => {
  it.each<[string, Partial<PacketFilter>, boolean]>([
    ["both rules", {}, true],
    ["only the first rule", { rawPrerouting: untouched.rawPrerouting }, false],
    ["only the second rule", { dockerUser: untouched.dockerUser }, false],
    [
      "the first rule after one that accepts packets",
      { dockerUser: `-A DOCKER-USER -i eth0 -j ACCEPT\n${dropping.dockerUser}` },
      false,
    ],
    [
      "the first rule after one that drops other packets",
      { dockerUser: `-A DOCKER-USER -s 192.0.2.0/24 -j DROP\n${dropping.dockerUser}` },
      true,
    ],
    [
      "the first rule for a single sender",
      { dockerUser: dropping.dockerUser.replace("! -i br-+", "-s 192.0.2.1/32 ! -i br-+") },
      false,
    ],
  ])("with $0 drops the packets of neighbours: $2", (_what, change, drops) => {
    expect(dropsForeignPackets({ ...dropping, ...change })).toBe(drops);
  });
});

it("the warning names the version and the fix, and is omitted if neighbours are kept out", () => {
  const open = neighbourWarning(old, "open") ?? "";
  expect(open).toMatch(/^Docker 20\.10\.24\+dfsg1 lets other hosts .*moby#45610.*Update the engine to 28/);
  for (const command of dropCommands) expect(open).toContain(command);
  expect(open).not.toContain("unless its host");
  expect(neighbourWarning(old, "unknown")).toMatch(
    /unless its host drops such packets, which cannot be checked/,
  );
  expect(neighbourWarning(old, "closed")).toBeUndefined();
});
