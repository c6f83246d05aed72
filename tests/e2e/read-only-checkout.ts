import { execFileSync } from "node:child_process";
import { describe, expect, it } from "vitest";
import type { Project } from "../../test-support/stack/project.ts";

/** A stack that is deployed, in a clone that nothing can be written to any more. */
export function describeReadOnlyCheckout(project: Project): void {
  describe("up again, in a checkout that has become read-only", () => {
    it("changes nothing, and leaves the state's secrets readable", async () => {
      const { folder, stateFolder } = project;
      const script = [
        ...(process.getuid?.() === 0 ? mountReadOnly(folder, stateFolder) : takeWriting(folder, stateFolder)),
        `cd ${folder} && ! touch written`,
        `exec ${process.execPath} scripts/commands/up.ts --stack ${project.stack}`,
      ].join(" && ");
      const shell = ["sh", "-c", script];
      const [command = "", ...args] = process.getuid?.() === 0 ? ["unshare", "--mount", ...shell] : shell;
      try {
        const { code, output } = await project.run(command, args, { OLLAMA_STACK_STATE: stateFolder }).done;
        expect(code, output).toBe(0);
        expect(output).toMatch(/\d+ unchanged/);
      } finally {
        execFileSync("chmod", ["--recursive", "u+w", folder]);
      }
      await project.pulumi("preview", "--expect-no-changes");
    });
  });
}

/** Modes do not keep root from writing. */
function mountReadOnly(folder: string, except: string): string[] {
  return [
    `mount --bind ${folder} ${folder} && mount --bind ${except} ${except}`,
    `mount -o remount,bind,ro ${folder}`,
  ];
}

function takeWriting(folder: string, except: string): string[] {
  return [`chmod --recursive a-w ${folder}`, `chmod --recursive u+w ${except}`];
}
