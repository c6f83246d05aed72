import { describe, expect, it } from "vitest";
import type { Project } from "../../test-support/project.ts";

/** A stack that is deployed, in a clone that nothing can be written to any more. */
export function describeReadOnlyCheckout(project: Project): void {
  describe("up again, in a checkout that has become read-only", () => {
    it("changes nothing, and leaves the state's secrets readable", async () => {
      const { folder, stateFolder } = project;
      const script = [
        `mount --bind ${folder} ${folder} && mount --bind ${stateFolder} ${stateFolder}`,
        `mount -o remount,bind,ro ${folder} && cd ${folder} && ! touch written`,
        `exec ${process.execPath} scripts/commands/up.ts --stack ${project.stack}`,
      ].join(" && ");
      const env = { OLLAMA_STACK_STATE: stateFolder };
      const { code, output } = await project.run("unshare", ["--mount", "sh", "-c", script], env).done;
      expect(code, output).toBe(0);
      expect(output).toMatch(/\d+ unchanged/);
      await project.pulumi("preview", "--expect-no-changes");
    });
  });
}
