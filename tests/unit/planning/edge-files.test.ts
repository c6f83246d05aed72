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
/** A folder with a certificate and its key. */
function folder(): string {
  const made = join(root, String((count += 1)));
  mkdirSync(made);
  writeFileSync(join(made, "cert.pem"), "one");
  writeFileSync(join(made, "key.pem"), "secret");
  return made;
}

const version = (path: string, edge: "certificate" | "acme" | "internal" = "certificate", dockerHost = "") =>
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
const seen = (...views: object[]) => ({ "run --rm --pull never": JSON.stringify(views) });

beforeEach(() => {
  docker.mock(noImage);
});

describe("given certificates", () => {
  it("are another version when they were renewed, by what is public of them, wherever they are looked at", async () => {
    const path = folder();
    const first = await version(path);
    writeFileSync(join(path, "key.pem"), "another");
    expect(await version(path)).toBe(first);
    docker.mock(seen({ name: "cert.pem", sha256: sha256("one") }, { name: "key.pem", sha256: sha256("x") }));
    expect(await version(path)).toBe(first);
    docker.mock(noImage);
    writeFileSync(join(path, "cert.pem"), "two");
    expect(await version(path)).not.toBe(first);
  });

  it("that are missing are named, all at once", async () => {
    const path = folder();
    for (const name of ["cert.pem", "key.pem"]) rmSync(join(path, name));
    await expect(version(path)).rejects.toThrow(
      /its cert\.pem is missing; edge certificate needs cert\.pem and key\.pem there\n.*its key\.pem is missing/,
    );
    await expect(version(path, "acme")).rejects.toThrow(/its acme-root\.pem is missing/);
  });

  it("are none for an edge that needs none, and nobody is asked", async () => {
    docker.mock({});
    expect(await version("/nowhere", "internal")).toBe("");
    expect(await version("", "acme")).toBe("");
    expect(docker.calls).toEqual([]);
  });

  it("on another machine's engine are left to it until it has the image to look at them with", async () => {
    expect(await version("/nowhere", "certificate", "ssh://ops@far")).toBe("");
    docker.mock(seen({ name: "cert.pem", error: "ENOENT" }, { name: "key.pem", sha256: sha256("x") }));
    await expect(version("/nowhere", "certificate", "ssh://ops@far")).rejects.toThrow(
      /its cert\.pem is missing/,
    );
  });
});

describe("what the edge's container would not have is refused", () => {
  it.each([
    ["up and down again, as certbot does", (path: string) => join("..", `${path}-archive`, "cert1.pem")],
    ["by their full path", (path: string) => join(root, `${path}-archive`, "cert1.pem")],
  ])("links out of the folder: %s", async (_how, target) => {
    const path = folder();
    const name = path.slice(root.length + 1);
    mkdirSync(`${path}-archive`);
    writeFileSync(join(`${path}-archive`, "cert1.pem"), "one");
    rmSync(join(path, "cert.pem"));
    symlinkSync(target(name), join(path, "cert.pem"));
    const expected = `its cert.pem is a link to ${path}-archive/cert1.pem, outside that folder and so not in the edge's container: copy the files (cp -L)`;
    await expect(version(path)).rejects.toThrow(expected);
    docker.mock(seen({ name: "cert.pem", error: "ENOENT" }, { name: "key.pem", sha256: sha256("x") }));
    await expect(version(path)).rejects.toThrow(expected);
  });

  it("not a link that stays in the folder", async () => {
    const path = folder();
    symlinkSync("cert.pem", join(path, "fullchain.pem"));
    rmSync(join(path, "key.pem"));
    mkdirSync(join(path, "keys"));
    writeFileSync(join(path, "keys", "1.pem"), "secret");
    symlinkSync("keys/1.pem", join(path, "key.pem"));
    expect(await version(path)).toMatch(/^[0-9a-f]{16}$/);
  });

  it("a key of another user, which root in a container may not read, with what to do", async () => {
    docker.mock(seen({ name: "cert.pem", sha256: sha256("one") }, { name: "key.pem", error: "EACCES" }));
    await expect(version(folder())).rejects.toThrow(
      /its key\.pem cannot be read by the edge's container, .*make root its owner \(chown root\)/,
    );
  });

  it("a folder that the engine does not mount, with its reason", async () => {
    docker.mock({ "run --rm --pull never": { fails: "Mounts denied: the path is not shared" } });
    await expect(version(folder())).rejects.toThrow(
      /which the engine cannot mount: .*Mounts denied: the path is not shared; share that folder/,
    );
  });

  it("not a key that only the container can read", async () => {
    docker.mock(seen({ name: "cert.pem", sha256: sha256("one") }, { name: "key.pem", sha256: sha256("x") }));
    expect(await version("/closed/to/this/user")).toMatch(/^[0-9a-f]{16}$/);
  });
});
