import { describe, expect, it } from "vitest";
import {
  checksumOf,
  cliArchive,
  cliChecksums,
  pluginArchive,
  pluginChecksums,
} from "../../../scripts/setup/release-assets.ts";
import { pluginInstallArguments } from "../../../scripts/setup/released-plugins.ts";

describe("the archive of the released CLI", () => {
  it.each([
    ["linux", "x64", "pulumi-v3.259.0-linux-x64.tar.gz"],
    ["linux", "arm64", "pulumi-v3.259.0-linux-arm64.tar.gz"],
    ["darwin", "arm64", "pulumi-v3.259.0-darwin-arm64.tar.gz"],
    ["win32", "x64", "pulumi-v3.259.0-windows-x64.zip"],
  ])("for %s on %s is %s, from GitHub or else from Pulumi", (platform, arch, file) => {
    expect(cliArchive(platform, arch)).toEqual({
      file,
      urls: [
        `https://github.com/pulumi/pulumi/releases/download/v3.259.0/${file}`,
        `https://get.pulumi.com/releases/sdk/${file}`,
      ],
    });
  });

  it("does not exist for other platforms", () => {
    expect(cliArchive("freebsd", "x64")).toBeUndefined();
    expect(cliArchive("linux", "ia32")).toBeUndefined();
  });
});

describe("the archive of a released plugin", () => {
  it.each([
    ["docker", "linux", "x64", "pulumi-resource-docker-v5.2.0-linux-amd64.tar.gz"],
    ["command", "darwin", "arm64", "pulumi-resource-command-v1.2.1-darwin-arm64.tar.gz"],
    ["docker", "win32", "x64", "pulumi-resource-docker-v5.2.0-windows-amd64.tar.gz"],
  ] as const)("%s for %s on %s is %s, from GitHub or else from Pulumi", (name, platform, arch, file) => {
    const version = name === "docker" ? "v5.2.0" : "v1.2.1";
    expect(pluginArchive(name, platform, arch)).toEqual({
      file,
      urls: [
        `https://github.com/pulumi/pulumi-${name}/releases/download/${version}/${file}`,
        `https://get.pulumi.com/releases/plugins/${file}`,
      ],
    });
  });

  it("does not exist for other platforms", () => {
    expect(pluginArchive("docker", "freebsd", "x64")).toBeUndefined();
    expect(pluginArchive("docker", "linux", "ia32")).toBeUndefined();
  });

  it("is installed by the CLI at the pinned version, replacing an existing plugin", () => {
    expect(pluginInstallArguments("docker", "/tmp/a.tar.gz")).toEqual([
      "plugin",
      "install",
      "resource",
      "docker",
      "v5.2.0",
      "--reinstall",
      "--file",
      "/tmp/a.tar.gz",
    ]);
  });
});

it("reads the checksum files of plugin releases, with SHA-1 or SHA-256 digests", () => {
  expect(pluginChecksums("command").file).toBe("pulumi-command_1.2.1_checksums.txt");
  const [sha1, sha256] = ["0123456789abcdef01234567".padEnd(40, "0"), "ab".repeat(32)];
  const list = `${sha1}  ./a.tar.gz\n${sha256}  b.tar.gz\n${"c".repeat(50)}  d.tar.gz\n`;
  expect([checksumOf("a.tar.gz", list), checksumOf("b.tar.gz", list)]).toEqual([sha1, sha256]);
  expect(checksumOf("d.tar.gz", list)).toBeUndefined();
});

it("finds the checksum of the file with exactly the given name", () => {
  const digest = "0123456789abcdef".repeat(4);
  const list = `${"f".repeat(64)}  other-a.tar.gz\n${digest.toUpperCase()} *a.tar.gz\nshort  b.tar.gz\n`;
  expect(checksumOf("a.tar.gz", list)).toBe(digest);
  expect(checksumOf("b.tar.gz", list)).toBeUndefined();
  expect(checksumOf("c.tar.gz", list)).toBeUndefined();
  expect(cliChecksums().file).toBe("pulumi-3.259.0-checksums.txt");
});
