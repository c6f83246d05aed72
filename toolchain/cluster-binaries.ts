import { join } from "node:path";
import { type Binary, part, parts } from "./binaries.ts";
import { pulumiHome } from "./install.ts";

/** The versions of the test cluster's programs. */
export const clusterVersions = {
  kubernetes: "1.37.2",
  etcd: "3.7.0",
  containerd: "2.4.2",
  coredns: "1.15.0",
  traefik: "3.7.13",
  /** Pulumi's provider. Its module has no version; this is the first release after the pinned commit. */
  provider: "4.25.0",
} as const;

const versionPackage = "k8s.io/component-base/version";
const [major = "", minor = ""] = clusterVersions.kubernetes.split(".");

const kubernetes = (name: string, seconds: number): Binary => ({
  ...part(name, "kubernetes", seconds),
  package: `k8s.io/kubernetes/cmd/${name}`,
  variables: [
    `${versionPackage}.gitVersion=v${clusterVersions.kubernetes}`,
    `${versionPackage}.gitMajor=${major}`,
    `${versionPackage}.gitMinor=${minor}`,
    `${versionPackage}.gitTreeState=archive`,
  ],
});

const containerd = (name: string, seconds: number, tags = ""): Binary => ({
  ...part(name, "containerd", seconds),
  package: `github.com/containerd/containerd/v2/cmd/${name}`,
  variables: [`github.com/containerd/containerd/v2/version.Version=${clusterVersions.containerd}`],
  tags,
});

const networkPlugin = (name: string, path: string): Binary => ({
  ...part(name, "cni", 3),
  package: `github.com/containernetworking/plugins/plugins/${path}/${name}`,
});

/** The network plugins that containerd runs for pods. */
export const networkPlugins = [
  networkPlugin("ptp", "main"),
  networkPlugin("loopback", "main"),
  networkPlugin("host-local", "ipam"),
  networkPlugin("portmap", "meta"),
];

/** The programs of a Kubernetes cluster for tests. Traefik and Pulumi's provider are only for `npm run test:kubernetes`. */
export const clusterParts = {
  apiServer: kubernetes("kube-apiserver", 700),
  controllerManager: kubernetes("kube-controller-manager", 120),
  scheduler: kubernetes("kube-scheduler", 15),
  kubelet: kubernetes("kubelet", 60),
  proxy: kubernetes("kube-proxy", 15),
  kubectl: kubernetes("kubectl", 40),
  etcd: { ...part("etcd", "etcd", 60), package: "go.etcd.io/etcd/server/v3" },
  containerd: containerd("containerd", 100, "no_btrfs,no_zfs,no_devmapper"),
  shim: containerd("containerd-shim-runc-v2", 5),
  ctr: containerd("ctr", 15),
  runc: parts.runc,
  coredns: part("coredns", "coredns", 80),
  pause: part("pause", "pause", 1),
  traefik: {
    ...part("traefik", "traefik", 300),
    package: "github.com/traefik/traefik/v3/cmd/traefik",
    variables: [`github.com/traefik/traefik/v3/pkg/version.Version=${clusterVersions.traefik}`],
    changes: [
      {
        module: "github.com/go-acme/lego/v5@v5.4.1",
        sum: "h1:Jt6xAP9xQrJ3SLLGgxejfDDd3pzdrmuLCWe4oTqHHQc=",
        folder: "lego",
        without: "providers/dns",
        files: "no-dns-providers",
        package: "providers/dns",
      },
      {
        module: "github.com/abbot/go-http-auth@v0.4.1-0.20220112235402-e1cee1c72f2f",
        sum: "h1:R2ZVGCZzU95oXFJxncosHS9LsX8N4/MYUdGGWOb2cFk=",
        folder: "http-auth",
        files: "stale-digests",
      },
    ],
  },
  provider: {
    ...part("pulumi-resource-kubernetes", "plugin-kubernetes", 700),
    variables: [
      `github.com/pulumi/pulumi-kubernetes/provider/v4/pkg/version.Version=${clusterVersions.provider}`,
    ],
  },
} satisfies Record<string, Binary>;

/** The folder in which Pulumi finds its provider. */
export function providerFolder(): string {
  return join(pulumiHome(), "plugins", `resource-kubernetes-v${clusterVersions.provider}`);
}
