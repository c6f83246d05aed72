import { execFileSync } from "node:child_process";
import { renameSync } from "node:fs";
import { join } from "node:path";
import { afterAll, expect, it } from "vitest";
import type { StackOutputs } from "../../scripts/stack/outputs.ts";
import type { Project } from "../../test-support/stack/project.ts";

/** Name of a container that does not belong to a stack, but was attached to the stack's network manually. */
export const foreignContainerOf = (stack: string) => `${stack}-joined-by-hand`;

/** Tests commands that are rejected before they remove anything; leaves the foreign container attached. */
export function describeRefusals(project: Project, outputs: () => StackOutputs): void {
  const foreignContainer = foreignContainerOf(project.stack);
  const isReady = async () => (await fetch(`${outputs().gatewayUrl}/ready`)).ok;
  afterAll(() => {
    execFileSync("docker", ["container", "rm", "--force", foreignContainer], { stdio: "ignore" });
  });
  const script = (name: string, ...args: string[]) =>
    project.run(process.execPath, [`scripts/commands/${name}.ts`, "--stack", project.stack, ...args]).done;

  it("is rejected while a foreign container is attached to the network, as is an update that renames it", async () => {
    const image = String(project.configured("gatewayBaseImage"));
    const run = [
      "container",
      "run",
      "--detach",
      "--name",
      foreignContainer,
      "--network",
      outputs().networkName,
    ];
    execFileSync("docker", [...run, "--entrypoint", "node", image, "--eval", "setInterval(() => {}, 1000)"]);
    const rejection =
      /attached to its network, which must be removed: life-joined-by-hand to ollama_network_life\. Disconnect them \(docker network disconnect ollama_network_life life-joined-by-hand\), or run: npm run /;
    const destroy = await script("destroy", "--yes");
    expect([destroy.code, destroy.output]).toEqual([1, expect.stringMatching(rejection)]);
    project.configure({ networkName: "another_life" });
    const preview = await script("preview");
    const up = await script("up");
    project.configure({ networkName: "" });
    expect([preview.code, preview.output]).toEqual([1, expect.stringMatching(rejection)]);
    expect([up.code, up.output]).toEqual([1, expect.stringMatching(rejection)]);
    expect(await isReady()).toBe(true);
  });

  it("rejects an update if the file of the deployed stack is missing", async () => {
    const file = join(project.folder, `Pulumi.${project.stack}.yaml`);
    renameSync(file, `${file}.aside`);
    // `up` runs twice because the CLI creates a file for its salt.
    const results = [await script("up"), await script("preview"), await script("up")];
    renameSync(`${file}.aside`, file);
    for (const { code, output } of results) {
      expect(code).toBe(1);
      expect(output).toMatch(/Pulumi\.life\.yaml is missing, .*Restore the file/);
    }
    expect(await isReady()).toBe(true);
  });
}
