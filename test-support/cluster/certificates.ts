import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

// The identities of a test cluster: an authority, and a certificate and a kubeconfig for each part.

const newKey = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];

interface Member {
  readonly name: string;
  /** Subject, from which Kubernetes takes groups and user. */
  readonly subject: string;
  readonly authority?: "ca" | "front";
  /** Names and addresses at which it serves. */
  readonly serves?: string;
}

interface Cluster {
  readonly folder: string;
  /** Address of the API server. */
  readonly address: string;
  readonly nodes: readonly { readonly name: string; readonly address: string }[];
}

/** Creates all certificates of a cluster, and a kubeconfig for each user, in its folder. */
export function makeCertificates({ folder, address, nodes }: Cluster): void {
  const pki = join(folder, "pki");
  for (const name of ["pki", "kubeconfig"]) mkdirSync(join(folder, name), { recursive: true });
  const openssl = (...args: string[]) => execFileSync("openssl", args, { cwd: pki, stdio: "pipe" });
  for (const name of ["ca", "front"]) {
    const subject = ["-subj", `/CN=test-${name}`];
    openssl(
      "req",
      "-x509",
      ...newKey,
      "-days",
      "2",
      ...subject,
      "-keyout",
      `${name}.key`,
      "-out",
      `${name}.crt`,
    );
  }
  openssl("ecparam", "-genkey", "-name", "prime256v1", "-noout", "-out", "accounts.key");
  openssl("ec", "-in", "accounts.key", "-pubout", "-out", "accounts.pub");
  const names = ["", ".default", ".default.svc", ".default.svc.cluster.local"].map(
    (end) => `DNS:kubernetes${end}`,
  );
  const users: Member[] = [
    { name: "admin", subject: "/O=system:masters/CN=admin" },
    { name: "controller-manager", subject: "/CN=system:kube-controller-manager" },
    { name: "scheduler", subject: "/CN=system:kube-scheduler" },
    { name: "proxy", subject: "/CN=system:kube-proxy" },
    ...nodes.map((node) => ({
      name: node.name,
      subject: `/O=system:nodes/CN=system:node:${node.name}`,
      serves: `DNS:${node.name},IP:${node.address}`,
    })),
  ];
  const members: Member[] = [
    {
      name: "apiserver",
      subject: "/CN=kube-apiserver",
      serves: [`IP:${address}`, "IP:127.0.0.1", "IP:10.96.0.1", ...names].join(","),
    },
    { name: "front-client", subject: "/CN=front-proxy-client", authority: "front" },
    { name: "kubelet-client", subject: "/O=system:masters/CN=kube-apiserver-kubelet-client" },
    ...users,
  ];
  for (const { name, subject, authority = "ca", serves } of members) {
    openssl("req", ...newKey, "-subj", subject, "-keyout", `${name}.key`, "-out", `${name}.csr`);
    const extensions = [
      "keyUsage=digitalSignature,keyEncipherment",
      "extendedKeyUsage=clientAuth,serverAuth",
      ...(serves === undefined ? [] : [`subjectAltName=${serves}`]),
    ];
    writeFileSync(join(pki, `${name}.ext`), extensions.join("\n"));
    const signer = ["-CA", `${authority}.crt`, "-CAkey", `${authority}.key`, "-CAcreateserial"];
    const what = ["-in", `${name}.csr`, "-days", "2", "-extfile", `${name}.ext`, "-out", `${name}.crt`];
    openssl("x509", "-req", ...signer, ...what);
  }
  const encoded = (name: string) => readFileSync(join(pki, name)).toString("base64");
  for (const { name } of users) {
    const config = {
      apiVersion: "v1",
      kind: "Config",
      "current-context": "test",
      clusters: [
        {
          name: "test",
          cluster: { server: `https://${address}:6443`, "certificate-authority-data": encoded("ca.crt") },
        },
      ],
      contexts: [{ name: "test", context: { cluster: "test", user: name } }],
      users: [
        {
          name,
          user: {
            "client-certificate-data": encoded(`${name}.crt`),
            "client-key-data": encoded(`${name}.key`),
          },
        },
      ],
    };
    writeFileSync(join(folder, "kubeconfig", name), JSON.stringify(config), { mode: 0o600 });
  }
}
