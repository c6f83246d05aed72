import type { ImageConfig } from "./types.ts";
import type { Property } from "./property.ts";
import { command, flag, list, map } from "./format.ts";

export const process: readonly Property[] = [
  {
    name: "command",
    inputs: ["command", "entrypoints"],
    // With an entrypoint of one's own the image's command no longer counts.
    expected: (asked, image) =>
      command(asked.command ?? (asked.entrypoints === undefined ? image.Cmd : undefined)),
    actual: ({ Config }) => command(Config.Cmd),
  },
  {
    name: "entrypoint",
    inputs: ["entrypoints"],
    expected: (asked, image) => command(asked.entrypoints ?? image.Entrypoint),
    actual: ({ Config }) => command(Config.Entrypoint),
  },
  {
    name: "working directory",
    inputs: ["workingDir"],
    expected: (asked, image) => (asked.workingDir ?? image.WorkingDir ?? "") || "/",
    actual: ({ Config }) => (Config.WorkingDir ?? "") || "/",
  },
  {
    name: "user",
    inputs: ["user"],
    expected: (asked, image) => (asked.user ?? image.User ?? "") || "root",
    actual: ({ Config }) => Config.User || "root",
  },
  {
    name: "hostname",
    inputs: ["hostname", "domainname"],
    expected: (asked) =>
      asked.hostname === undefined && asked.domainname === undefined
        ? undefined
        : [asked.hostname, asked.domainname].filter(Boolean).join("."),
    actual: ({ Config }) => [Config.Hostname, Config.Domainname].filter(Boolean).join("."),
  },
  {
    name: "stop signal",
    inputs: ["stopSignal"],
    expected: (asked, image) => (asked.stopSignal ?? image.StopSignal ?? "") || "SIGTERM",
    actual: ({ Config }) => (Config.StopSignal ?? "") || "SIGTERM",
  },
  {
    name: "stop timeout",
    inputs: ["stopTimeout"],
    expected: (asked) => (asked.stopTimeout === undefined ? "default" : `${String(asked.stopTimeout)} s`),
    actual: ({ Config }) =>
      Config.StopTimeout === null || Config.StopTimeout === undefined
        ? "default"
        : `${String(Config.StopTimeout)} s`,
  },
  {
    name: "terminal",
    inputs: ["tty", "stdinOpen"],
    expected: (asked) => `tty ${flag(asked.tty)}, stdin ${flag(asked.stdinOpen)}`,
    actual: ({ Config }) => `tty ${flag(Config.Tty)}, stdin ${flag(Config.OpenStdin)}`,
  },
  {
    name: "health check",
    inputs: ["healthcheck"],
    expected: ({ healthcheck: asked }, image) =>
      asked === undefined
        ? healthCheck(image.Healthcheck)
        : healthCheck({
            Test: asked.tests,
            Interval: nanoseconds(asked.interval),
            Timeout: nanoseconds(asked.timeout),
            StartPeriod: nanoseconds(asked.startPeriod),
            Retries: asked.retries,
          }),
    actual: ({ Config }) => healthCheck(Config.Healthcheck),
  },
  {
    name: "restart",
    inputs: ["restart", "maxRetryCount"],
    expected: ({ restart = "no", maxRetryCount = 0 }) => restartPolicy(restart, maxRetryCount),
    actual: ({ HostConfig }) =>
      restartPolicy(HostConfig.RestartPolicy.Name || "no", HostConfig.RestartPolicy.MaximumRetryCount),
    inPlace: true,
  },
  {
    name: "log driver",
    inputs: ["logDriver"],
    expected: (asked) => asked.logDriver,
    actual: ({ HostConfig }) => HostConfig.LogConfig.Type,
  },
  {
    name: "log options",
    inputs: ["logOpts"],
    expected: (asked) => (asked.logOpts === undefined ? undefined : map(asked.logOpts)),
    actual: ({ HostConfig }) => map(HostConfig.LogConfig.Config),
  },
  {
    name: "init process",
    inputs: ["init"],
    expected: (asked) => flag(asked.init),
    actual: ({ HostConfig }) => flag(HostConfig.Init),
  },
  {
    name: "groups added",
    inputs: ["groupAdds"],
    expected: (asked) => list(asked.groupAdds),
    actual: ({ HostConfig }) => list(HostConfig.GroupAdd),
  },
];

function nanoseconds(duration: string | undefined): number {
  const units: Record<string, number> = { ns: 1, us: 1e3, ms: 1e6, s: 1e9, m: 60e9, h: 3600e9 };
  const parts = [...(duration ?? "0s").matchAll(/([\d.]+)(ns|us|ms|s|m|h)/g)];
  return parts.reduce((sum, [, value = "0", unit = "s"]) => sum + Number(value) * (units[unit] ?? 0), 0);
}

function healthCheck(check: ImageConfig["Healthcheck"]): string {
  const test = check?.Test ?? [];
  if (check === null || check === undefined || test.length === 0) return "none";
  const seconds = (value: number | undefined) => `${String((value ?? 0) / 1e9)} s`;
  return (
    `${JSON.stringify(test)} every ${seconds(check.Interval)}, timeout ${seconds(check.Timeout)}, ` +
    `start ${seconds(check.StartPeriod)}, retries ${String(check.Retries ?? 0)}`
  );
}

function restartPolicy(name: string, retries: number): string {
  return retries > 0 ? `${name}, at most ${String(retries)} times` : name;
}
