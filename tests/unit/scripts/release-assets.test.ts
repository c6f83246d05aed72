import { describe, expect, it } from "vitest";
import { checksumOf, cliArchive, cliChecksums } from "../../../scripts/setup/release-assets.ts";

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

  it("is not there for other machines", () => {
    expect(cliArchive("freebsd", "x64")).toBeUndefined();
    expect(cliArchive("linux", "ia32")).toBeUndefined();
  });
});

it("a list of checksums tells the digest of the file with exactly that name", () => {
  const digest = "0123456789abcdef".repeat(4);
  const list = `${"f".repeat(64)}  other-a.tar.gz\n${digest.toUpperCase()} *a.tar.gz\nshort  b.tar.gz\n`;
  expect(checksumOf("a.tar.gz", list)).toBe(digest);
  expect(checksumOf("b.tar.gz", list)).toBeUndefined();
  expect(checksumOf("c.tar.gz", list)).toBeUndefined();
  expect(cliChecksums().file).toBe("pulumi-3.259.0-checksums.txt");
});
