import type { Property } from "./property.ts";
import { flag, list, map } from "./format.ts";

export const isolation: readonly Property[] = [
  {
    name: "read-only root",
    inputs: ["readOnly"],
    expected: (asked) => flag(asked.readOnly),
    actual: ({ HostConfig }) => flag(HostConfig.ReadonlyRootfs),
  },
  {
    name: "privileged",
    inputs: ["privileged"],
    expected: (asked) => flag(asked.privileged),
    actual: ({ HostConfig }) => flag(HostConfig.Privileged),
  },
  {
    name: "capabilities added",
    inputs: ["capabilities"],
    expected: (asked) => list(asked.capabilities?.adds?.map(capability)),
    actual: ({ HostConfig }) => list(HostConfig.CapAdd?.map(capability)),
  },
  {
    name: "capabilities dropped",
    inputs: ["capabilities"],
    expected: (asked) => list(asked.capabilities?.drops?.map(capability)),
    actual: ({ HostConfig }) => list(HostConfig.CapDrop?.map(capability)),
  },
  {
    name: "security options",
    inputs: ["securityOpts"],
    expected: (asked) => list(asked.securityOpts),
    actual: ({ HostConfig }) => list(HostConfig.SecurityOpt),
  },
  {
    name: "PID namespace",
    inputs: ["pidMode"],
    expected: (asked) => (asked.pidMode ?? "") || "own",
    actual: ({ HostConfig }) => HostConfig.PidMode || "own",
  },
  {
    name: "IPC namespace",
    inputs: ["ipcMode"],
    expected: (asked) => ipcMode(asked.ipcMode ?? ""),
    actual: ({ HostConfig }) => ipcMode(HostConfig.IpcMode),
  },
  {
    name: "user namespace",
    inputs: ["usernsMode"],
    expected: (asked) => (asked.usernsMode ?? "") || "the engine's",
    actual: ({ HostConfig }) => HostConfig.UsernsMode || "the engine's",
  },
  {
    name: "cgroup",
    inputs: ["cgroupParent", "cgroupnsMode"],
    expected: (asked) => (asked.cgroupParent ?? "") || "the engine's",
    actual: ({ HostConfig }) => HostConfig.CgroupParent || "the engine's",
  },
  {
    name: "runtime",
    inputs: ["runtime"],
    expected: (asked) => asked.runtime,
    actual: ({ HostConfig }) => HostConfig.Runtime,
  },
  {
    name: "sysctls",
    inputs: ["sysctls"],
    expected: (asked) => map(asked.sysctls),
    actual: ({ HostConfig }) => map(HostConfig.Sysctls),
  },
  {
    name: "devices",
    inputs: ["devices", "deviceCgroupRules"],
    expected: (asked) =>
      list([
        ...(asked.devices ?? []).map(({ hostPath, containerPath, permissions }) =>
          device(hostPath, containerPath ?? hostPath, permissions ?? "rwm"),
        ),
        ...(asked.deviceCgroupRules ?? []),
      ]),
    actual: ({ HostConfig }) =>
      list([
        ...(HostConfig.Devices ?? []).map(({ PathOnHost, PathInContainer, CgroupPermissions }) =>
          device(PathOnHost, PathInContainer, CgroupPermissions),
        ),
        ...(HostConfig.DeviceCgroupRules ?? []),
      ]),
  },
  {
    name: "GPUs",
    inputs: ["deviceRequests"],
    expected: (asked) =>
      list(
        asked.deviceRequests?.map(({ driver = "", count = 0, deviceIds }) =>
          request(driver, count, deviceIds),
        ),
      ),
    actual: ({ HostConfig }) =>
      list(
        HostConfig.DeviceRequests?.map(({ Driver, Count, DeviceIDs }) => request(Driver, Count, DeviceIDs)),
      ),
  },
];

function capability(name: string): string {
  return name.replace(/^CAP_/, "");
}

/** Private and shareable are what an engine gives to a container that did not ask. */
function ipcMode(mode: string): string {
  return mode === "" || mode === "private" || mode === "shareable" ? "own" : mode;
}

function device(host: string, inside: string, permissions: string): string {
  return `${host}:${inside}:${permissions}`;
}

function request(driver: string, count: number, ids: readonly string[] | null | undefined): string {
  const which =
    (ids ?? []).length > 0 ? [...(ids ?? [])].sort().join(" ") : count === -1 ? "all" : String(count);
  return `${which} by ${driver === "" ? "any driver" : driver}`;
}
