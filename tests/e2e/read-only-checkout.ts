import { execFileSync } from "node:child_process";
import { describe, expect, it } from "vitest";
import type { Project } from "../../test-support/stack/project.ts";

/** Tests `npm run up` of a deployed stack in a checkout that has become read-only. */
export function describeReadOnlyCheckout(project: Project): void {
  describe("up again in a read-only checkout", () => {
    it("changes nothing, and the state's secrets stay readable", async () => {
      const { folder, stateFolder } = project;
      const script = [
        ...(process.getuid?.() === 0
          ? mountReadOnly(folder, stateFolder)
          : removeWritePermission(folder, stateFolder)),
        `cd ${folder} && ! touch written`,
        `exec ${process.execPath} scripts/commands/up.ts --stack ${project.stack} -- --expect-no-changes`,
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
    });
  });
}

/** For root, whom file modes do not stop from writing. */
function mountReadOnly(folder: string, except: string): string[] {
  return [
    `mount --bind ${folder} ${folder} && mount --bind ${except} ${except}`,
    `mount -o remount,bind,ro ${folder}`,
  ];
}

function removeWritePermission(folder: string, except: string): string[] {
  return [`chmod --recursive a-w ${folder}`, `chmod --recursive u+w ${except}`];
}
