import { createHash } from "node:crypto";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeEach, describe, expect, it } from "vitest";
import { certificatesVersion } from "../../../components/planning/edge-files.ts";
import { FakeDocker } from "../../../test-support/fakes/fake-docker.ts";

const docker = new FakeDocker();
const root = mkdtempSync(join(tmpdir(), "ollama-stack-certificates-"));
afterAll(() => {
  docker.remove();
  rmSync(root, { recursive: true });
});

let count = 0;
/** Creates a folder with a certificate and its key. */
function createFolder(): string {
  const path = join(root, String((count += 1)));
  mkdirSync(path);
  writeFileSync(join(path, "cert.pem"), "one");
  writeFileSync(join(path, "key.pem"), "secret");
  return path;
}

const versionOf = (
  path: string,
  edge: "certificate" | "acme" | "internal" = "certificate",
  dockerHost = "",
) =>
  certificatesVersion({
    edge,
    edgeCertificates: path,
    gatewayBaseImage: "node:24",
    dockerHost,
    dockerCertPath: "",
  });
const sha256 = (text: string) => createHash("sha256").update(text).digest("hex");
const noImage = {
  "run --rm --pull never": { fails: "docker: Error response from daemon: No such image: node:24." },
};
const containerView = (...views: object[]) => ({ "run --rm --pull never": JSON.stringify(views) });

beforeEach(() => {
  docker.mock(noImage);
});

describe("the version of given certificates", () => {
  it("changes with the certificate, not with the key, and is the same on this machine and in a container", async () => {
    const path = createFolder();
    const first = await versionOf(path);
    writeFileSync(join(path, "key.pem"), "another");
    expect(await versionOf(path)).toBe(first);
    docker.mock(
      containerView({ name: "cert.pem", sha256: sha256("one") }, { name: "key.pem", sha256: sha256("x") }),
    );
    expect(await versionOf(path)).toBe(first);
    docker.mock(noImage);
    writeFileSync(join(path, "cert.pem"), "two");
    expect(await versionOf(path)).not.toBe(first);
  });

  it("is rejected with all missing files at once", async () => {
    const path = createFolder();
    for (const name of ["cert.pem", "key.pem"]) rmSync(join(path, name));
    await expect(versionOf(path)).rejects.toThrow(
      /its cert\.pem is missing; edge certificate needs cert\.pem and key\.pem there\n.*its key\.pem is missing/,
    );
    await expect(versionOf(path, "acme")).rejects.toThrow(/its acme-root\.pem is missing/);
  });

  it("is empty for an edge that needs no certificates, without calling Docker", async () => {
    docker.mock({});
    expect(await versionOf("/nowhere", "internal")).toBe("");
    expect(await versionOf("", "acme")).toBe("");
    expect(docker.calls).toEqual([]);
  });

  it("is empty on a remote engine until that has the image that reads the files", async () => {
    expect(await versionOf("/nowhere", "certificate", "ssh://ops@far")).toBe("");
    docker.mock(
      containerView({ name: "cert.pem", error: "ENOENT" }, { name: "key.pem", sha256: sha256("x") }),
    );
    await expect(versionOf("/nowhere", "certificate", "ssh://ops@far")).rejects.toThrow(
      /its cert\.pem is missing/,
    );
  });
});

describe("the check that the edge's container can read its files", () => {
  it.each([
    ["a relative path, as certbot creates it", (path: string) => join("..", `${path}-archive`, "cert1.pem")],
    ["an absolute path", (path: string) => join(root, `${path}-archive`, "cert1.pem")],
  ])("rejects a link out of the folder: %s", async (_how, target) => {
    const path = createFolder();
    const name = path.slice(root.length + 1);
    mkdirSync(`${path}-archive`);
    writeFileSync(join(`${path}-archive`, "cert1.pem"), "one");
    rmSync(join(path, "cert.pem"));
    symlinkSync(target(name), join(path, "cert.pem"));
    const expected = `its cert.pem is a link to ${path}-archive/cert1.pem, outside that folder and so not in the edge's container: copy the files (cp -L)`;
    await expect(versionOf(path)).rejects.toThrow(expected);
    docker.mock(
      containerView({ name: "cert.pem", error: "ENOENT" }, { name: "key.pem", sha256: sha256("x") }),
    );
    await expect(versionOf(path)).rejects.toThrow(expected);
  });

  it("accepts a link within the folder", async () => {
    const path = createFolder();
    symlinkSync("cert.pem", join(path, "fullchain.pem"));
    rmSync(join(path, "key.pem"));
    mkdirSync(join(path, "keys"));
    writeFileSync(join(path, "keys", "1.pem"), "secret");
    symlinkSync("keys/1.pem", join(path, "key.pem"));
    expect(await versionOf(path)).toMatch(/^[0-9a-f]{16}$/);
  });

  it("rejects a key that root in the container cannot read, with the fix", async () => {
    docker.mock(
      containerView({ name: "cert.pem", sha256: sha256("one") }, { name: "key.pem", error: "EACCES" }),
    );
    await expect(versionOf(createFolder())).rejects.toThrow(
      /its key\.pem cannot be read by the edge's container, .*make root its owner \(chown root\)/,
    );
  });

  it("rejects a folder that the engine does not mount, with the engine's reason", async () => {
    docker.mock({ "run --rm --pull never": { fails: "Mounts denied: the path is not shared" } });
    await expect(versionOf(createFolder())).rejects.toThrow(
      /which the engine cannot mount: .*Mounts denied: the path is not shared; share that folder/,
    );
  });

  it("accepts a key that only the container can read", async () => {
    docker.mock(
      containerView({ name: "cert.pem", sha256: sha256("one") }, { name: "key.pem", sha256: sha256("x") }),
    );
    expect(await versionOf("/closed/to/this/user")).toMatch(/^[0-9a-f]{16}$/);
  });
});
