import { cpSync, existsSync, readFileSync, rmSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import type { Report } from "../host/progress.ts";
import { runTool } from "../host/exec.ts";
import { artefact, artefactPath, keyOfFolder } from "./cache.ts";
import { type ChangedModule, putChangedModule } from "./changed-module.ts";
import { goBuild } from "./go-build.ts";
import type { Go } from "./go.ts";

/** The versions in the names of built files and images. */
export const versions = {
  pulumi: "3.259.0",
  docker: "5.2.0",
  command: "1.2.1",
  ollama: "0.17.4",
  node: "24.21.0",
  caddy: "2.11.9",
  prometheus: "3.13.5",
  /** The version of Docker 29's module; the engine has no other version there. */
  engine: "2.0.0-beta.24",
  runc: "1.5.2",
} as const;

/** A program that Go builds from one of our modules below go/. */
export interface Binary {
  /** Name of the program and of its artefact. */
  readonly name: string;
  readonly module: string;
  /** The package to build; "." is the module itself. */
  readonly package: string;
  /** -X settings of the linker. */
  readonly variables: readonly string[];
  /** Go only; C with default flags; or C for this CPU, with the headers that Ollama's module archive lacks. */
  readonly cgo: "none" | "plain" | "ollama";
  /** Build tags; empty for none. */
  readonly tags: string;
  /** Modules that are changed for the build. */
  readonly changes?: readonly ChangedModule[];
  /** Measured on two cores, with another build at the same time. */
  readonly seconds: number;
}

/** A program in Go only, with the main package in our module. */
export const part = (name: string, module: string, seconds: number): Binary => ({
  name,
  module,
  package: ".",
  variables: [],
  cgo: "none",
  tags: "",
  seconds,
});

const prometheusPackage = (program: string) => `github.com/prometheus/prometheus/cmd/${program}`;

/** Prometheus with service discovery by files and HTTP only, and without its web pages, which are in no module. */
const lean = {
  variables: [`github.com/prometheus/common/version.Version=${versions.prometheus}`],
  tags: "netgo,remove_all_sd",
};

export const parts = {
  cli: {
    ...part("pulumi", "pulumi", 330),
    package: "github.com/pulumi/pulumi/pkg/v3/cmd/pulumi",
    variables: [`github.com/pulumi/pulumi/sdk/v3/go/common/version.Version=v${versions.pulumi}`],
  },
  languageHost: part("pulumi-language-nodejs", "language-nodejs", 2),
  dockerPlugin: part("pulumi-resource-docker", "plugin-docker", 175),
  commandPlugin: part("pulumi-resource-command", "plugin-command", 25),
  registry: part("registry", "registry", 2),
  ollama: {
    ...part("ollama", "ollama", 460),
    package: "github.com/ollama/ollama",
    variables: [`github.com/ollama/ollama/version.Version=${versions.ollama}`],
    cgo: "ollama",
  },
  caddy: {
    ...part("caddy", "caddy", 65),
    package: "github.com/caddyserver/caddy/v2/cmd/caddy",
    variables: [`github.com/caddyserver/caddy/v2.CustomVersion=v${versions.caddy}`],
    // Excludes the databases of Caddy's own ACME server, which is not used.
    tags: "nobadger,nomysql,nopgsql",
  },
  prometheus: { ...part("prometheus", "prometheus", 110), package: prometheusPackage("prometheus"), ...lean },
  promtool: { ...part("promtool", "prometheus", 55), package: prometheusPackage("promtool"), ...lean },
  dockerd: {
    ...part("dockerd", "engine", 95),
    package: "github.com/moby/moby/v2/cmd/dockerd",
    variables: [`github.com/moby/moby/v2/dockerversion.Version=${versions.engine}`],
  },
  dockerProxy: {
    ...part("docker-proxy", "engine", 1),
    package: "github.com/moby/moby/v2/cmd/docker-proxy",
  },
  runc: {
    ...part("runc", "runc", 10),
    package: "github.com/opencontainers/runc",
    variables: [`main.version=${versions.runc}`],
    cgo: "plain",
    tags: "seccomp",
  },
} satisfies Record<string, Binary>;

/** Debian packages for building Ollama: a compiler, and headers that its module archive lacks. */
export const ollamaPackages = ["gcc", "g++", "libc6-dev", "nlohmann-json3-dev", "libstb-dev"];

/** Debian packages for building runc. */
export const runcPackages = ["gcc", "libc6-dev", "libseccomp-dev", "pkg-config"];

const wantedFlags = ["avx2", "fma", "f16c", "bmi2"];

/** Compiler options for Ollama's C and C++, which make it several times faster on CPUs with these features. */
export function cFlags(cpuinfo: string): string {
  const has = new Set(/^flags\s*:(.*)$/m.exec(cpuinfo)?.[1]?.trim().split(/\s+/));
  return [
    "-O3",
    ...(wantedFlags.every((flag) => has.has(flag)) ? wantedFlags.map((flag) => `-m${flag}`) : []),
  ].join(" ");
}

export function hostCFlags(): string {
  return cFlags(existsSync("/proc/cpuinfo") ? readFileSync("/proc/cpuinfo", "utf8") : "");
}

function moduleFolder(p: Binary): string {
  return join(import.meta.dirname, "go", p.module);
}

/** Includes the Go version that go.mod requires, so a newer patch release on the machine rebuilds nothing. */
export function partKey(p: Binary): string {
  const flags = p.cgo === "ollama" ? hostCFlags() : "";
  return keyOfFolder(moduleFolder(p), [
    p.package,
    ...p.variables,
    flags,
    ...(p.tags === "" ? [] : [p.tags]),
    ...(p.changes ?? []).map((change) => JSON.stringify(change)),
  ]);
}

/** The path of the built program, which may not exist yet. */
export function partBinary(p: Binary): string {
  return join(artefactPath(p.name, partKey(p)), p.name);
}

/** Builds a program. A build that the signal aborted continues where it was, because Go caches compiled packages. */
export async function buildPart(
  p: Binary,
  go: Go,
  { report, signal }: { readonly report: Report; readonly signal: AbortSignal },
): Promise<void> {
  await artefact(p.name, partKey(p), async (partial) => {
    const linker = ["-s", "-w", ...p.variables.map((variable) => `-X ${variable}`)].join(" ");
    const env = {
      // Fewer garbage collections save the compilers 5 to 12 % of processor time.
      GOGC: "400",
      CGO_ENABLED: p.cgo === "none" ? "0" : "1",
    };
    const cgo = p.cgo === "ollama" ? await ollamaEnvironment(p, go) : {};
    const tags = p.tags === "" ? [] : ["-tags", p.tags];
    const { changes = [] } = p;
    const folder = changes.length === 0 ? moduleFolder(p) : join(partial, "sources");
    if (changes.length > 0) cpSync(moduleFolder(p), folder, { recursive: true });
    for (const change of changes) await putChangedModule(change, folder, go);
    await goBuild(go, {
      what: p.name,
      folder,
      package: p.package,
      output: join(partial, p.name),
      // The linker omits debug information anyway; not generating it saves 15 % of the time.
      args: ["-v", "-mod=readonly", ...tags, "-gcflags=all=-dwarf=false", "-ldflags", linker],
      env: { ...env, ...cgo },
      report,
      signal,
    });
    if (changes.length > 0) rmSync(folder, { recursive: true });
  });
}

/**
 * Compiler flags, and an include folder in which miniaudio.h has the path that Ollama's sources expect. The folder's name
 * is stable, because the flags are part of the keys of Go's cache.
 */
async function ollamaEnvironment(p: Binary, go: Go): Promise<Record<string, string>> {
  const include = await artefact("include", partKey(p), async (partial) => {
    const module = ["github.com/gen2brain/malgo"];
    const options = { what: "find miniaudio.h", cwd: moduleFolder(p), env: { ...go.env, GOWORK: "off" } };
    await runTool(go.command, ["mod", "download", ...module], options);
    const folder = await runTool(
      go.command,
      ["list", "-mod=readonly", "-m", "-f", "{{.Dir}}", ...module],
      options,
    );
    symlinkSync(folder.trim(), join(partial, "miniaudio"));
  });
  return { CGO_CPPFLAGS: `-I${include}`, CGO_CFLAGS: hostCFlags(), CGO_CXXFLAGS: hostCFlags() };
}
