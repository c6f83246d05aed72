import { execFileSync } from "node:child_process";
import { chmodSync, mkdirSync, readFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type PeerCertificate, connect } from "node:tls";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { docker } from "../../engine/docker-cli.ts";
import { Project } from "../../test-support/stack/project.ts";

const gatewayPort = 18473;
const project = new Project({ stack: "tls", ollamaPort: 18472, gatewayPort });
const name = "llm.example.test";
const folder = join(project.folder, "certificates");
const authority = "ollama-stack-tls-authority";
const edge = "ollama-stack-tls-edge";

function openssl(...args: string[]): void {
  execFileSync("openssl", args, { cwd: folder, stdio: "ignore" });
}

const text = (file: string) => readFileSync(join(folder, file), "utf8");

/** Changes the owner of the certificate's key, in a container, because the tests' user need not be root. */
async function changeKeyOwner(owner: number): Promise<void> {
  const mount = `type=bind,source=${folder},target=/certificates`;
  const chown = `fs.chownSync("/certificates/key.pem", ${String(owner)}, ${String(owner)})`;
  const image = String(project.configured("gatewayBaseImage"));
  const run = ["container", "run", "--rm", "--user", "0", "--mount", mount, "--entrypoint", "node"];
  await docker([...run, image, "--eval", chown]);
}

/** Issues a certificate with a new authority. Returns a line of its key, which root then owns. */
async function issueCertificate(): Promise<string> {
  rmSync(join(folder, "key.pem"), { force: true });
  const newKey = ["req", "-newkey", "rsa:2048", "-nodes"];
  openssl(...newKey, "-x509", "-days", "2", "-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=tests");
  openssl(...newKey, "-keyout", "key.pem", "-out", "cert.csr", "-subj", `/CN=${name}`);
  writeFileSync(join(folder, "san"), `subjectAltName=DNS:${name}\n`);
  openssl(
    ...["x509", "-req", "-in", "cert.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial"],
    ...["-days", "2", "-out", "cert.pem", "-extfile", "san"],
  );
  const secret = text("key.pem").split("\n")[3] ?? "";
  await changeKeyOwner(0);
  return secret;
}

/** The certificate that the edge presents. Rejects if it is not signed by `ca`. */
function fetchCertificate(ca: string): Promise<PeerCertificate> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: "127.0.0.1", port: gatewayPort, servername: name, ca }, () => {
      resolve(socket.getPeerCertificate(true));
      socket.destroy();
    });
    socket.once("error", reject);
  });
}

beforeAll(async () => {
  mkdirSync(folder);
  await project.pulumi("stack", "init", project.stack);
});
afterAll(async () => {
  await docker(["container", "rm", "--force", "--volumes", authority]);
  project.discard();
});

describe("an edge", () => {
  it("rejects links out of the folder and a key that root in a container cannot read, before creating anything", async () => {
    project.configure({ edge: "certificate", edgeHostnames: [name], edgeCertificates: folder });
    await issueCertificate();
    const [certificate, elsewhere] = [join(folder, "cert.pem"), `${folder}-cert.pem`];
    renameSync(certificate, elsewhere);
    symlinkSync(elsewhere, certificate);
    await changeKeyOwner(1000);
    const { code, output } = await project.tryPulumi("preview");
    expect(code).not.toBe(0);
    expect(output).toMatch(/its cert\.pem is a link to \S+-cert\.pem, outside that folder/);
    expect(output).toMatch(/its key\.pem cannot be read by the edge's container/);
    rmSync(certificate);
  });

  it("presents a configured certificate, whose key is stored only in its file", async () => {
    const secret = await issueCertificate();
    // One gateway: an edge does not need more.
    await project.pulumi("up", "--yes", "--skip-preview");
    expect((await fetchCertificate(text("ca.pem"))).subjectaltname).toBe(`DNS:${name}`);
    const state = await project.pulumi("stack", "export", "--show-secrets");
    const inspected = await docker(["container", "inspect", edge]);
    expect(secret.length).toBeGreaterThan(40);
    expect(state + inspected).not.toContain(secret);
    await project.pulumi("preview", "--refresh", "--expect-no-changes");
  });

  it("loads a renewed certificate at the next up, in place", async () => {
    const before = await docker(["container", "inspect", "--format", "{{.Id}}", edge]);
    await issueCertificate();
    // Its name does not resolve and its authority is unknown; the final check still sends its request to the address.
    const { code, output } = await project.run(process.execPath, ["scripts/commands/up.ts"]).done;
    expect(code, output).toBe(0);
    expect(output).toMatch(/Sample response from \S+ after [\d.]+ s:/);
    expect(output).toContain(`does not trust the certificate of https://${name}:${String(gatewayPort)} (`);
    expect((await fetchCertificate(text("ca.pem"))).subjectaltname).toBe(`DNS:${name}`);
    expect(await docker(["container", "inspect", "--format", "{{.Id}}", edge])).toBe(before);
  });

  it("switches from the configured certificate to its own, with nothing left of the former configuration", async () => {
    project.configure({ edge: "internal", edgeCertificates: undefined });
    await project.pulumi("up", "--yes", "--skip-preview");
    const root = join(folder, "own-root.crt");
    await docker(["container", "cp", `${edge}:/data/caddy/pki/authorities/local/root.crt`, root]);
    expect((await fetchCertificate(readFileSync(root, "utf8"))).subjectaltname).toBe(`DNS:${name}`);
    expect(await docker(["container", "inspect", "--format", "{{.RestartCount}}", edge])).toBe("0\n");
  });

  it("obtains a certificate from an ACME authority", async () => {
    const image = String(project.configured("edgeImage"));
    const network = (await project.outputs()).networkName;
    const config = `{
      admin off
      skip_install_trust
    }
    https://authority {
      tls internal
      acme_server {
        challenges tls-alpn-01
      }
    }`;
    writeFileSync(join(folder, "Caddyfile"), config);
    const mount = `type=bind,source=${folder},target=/etc/authority,readonly`;
    await docker([
      ...["container", "run", "--detach", "--name", authority],
      ...["--network", network, "--network-alias", "authority", "--mount", mount],
      ...["--env", "XDG_DATA_HOME=/data", image, "caddy", "run", "--config", "/etc/authority/Caddyfile"],
    ]);
    const root = join(folder, "acme-root.pem");
    const path = `${authority}:/data/caddy/pki/authorities/local/root.crt`;
    await vi.waitFor(() => docker(["container", "cp", path, root]), { timeout: 20_000, interval: 500 });
    // It was copied with the mode of a secret, readable only by the tests' user.
    chmodSync(root, 0o644);
    project.configure({
      edge: "acme",
      edgeCertificates: folder,
      edgeAcmeDirectory: "https://authority/acme/local/directory",
    });
    await project.pulumi("up", "--yes", "--skip-preview");
    const certificate = await fetchCertificate(readFileSync(root, "utf8"));
    expect(certificate.subjectaltname).toBe(`DNS:${name}`);
    expect(certificate.issuer.CN).toMatch(/Caddy Local Authority/);
    // A changed contact address is applied in place.
    const id = () => docker(["container", "inspect", "--format", "{{.Id}}", edge]);
    const before = await id();
    project.configure({ edgeAcmeEmail: "ops@example.test" });
    await project.pulumi("up", "--yes", "--skip-preview");
    const kept = join(folder, "autosave.json");
    await docker(["container", "cp", `${edge}:/data/config-acme-with-files/caddy/autosave.json`, kept]);
    expect(readFileSync(kept, "utf8")).toContain('"email":"ops@example.test"');
    expect(await id()).toBe(before);
  });

  it("is removed by the command that an update suggests when it finds its port in use", async () => {
    const keys = ["edge", "edgeHostnames", "edgeCertificates", "edgeAcmeDirectory", "edgeAcmeEmail"];
    project.configure(Object.fromEntries(keys.map((key) => [key, undefined])));
    const preview = await project.run(process.execPath, ["scripts/commands/preview.ts"]).done;
    expect(preview.output).toMatch(
      /\*\*Interrupts\*\*: the edge is removed before the gateway gets its port/,
    );
    const { code, output } = await project.tryPulumi("up", "--yes", "--skip-preview");
    expect(code, output).not.toBe(0);
    expect(output).toMatch(
      /Port 18473 is still held by the container ollama-stack-tls-edge, which this update removes/,
    );
    const target = /pulumi destroy --target '([^']+)'/.exec(output)?.[1] ?? `none in: ${output}`;
    await project.pulumi("destroy", "--yes", "--skip-preview", "--target", target);
    await project.pulumi("up", "--yes", "--skip-preview");
    expect((await fetch(`http://127.0.0.1:${String(gatewayPort)}/health`)).status).toBe(200);
    await project.pulumi("preview", "--expect-no-changes");
  });
});
