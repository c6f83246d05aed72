import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import { z } from "zod";

const folder = ".github/workflows";

const permissions = z.record(z.string(), z.enum(["read", "write", "none"]));
const step = z.object({
  uses: z.string().optional(),
  run: z.string().optional(),
  with: z.record(z.string(), z.unknown()).optional(),
  env: z.record(z.string(), z.string()).optional(),
  if: z.string().optional(),
});
const workflow = z.object({
  on: z.record(z.string(), z.unknown()),
  permissions,
  jobs: z.record(
    z.string(),
    z.object({
      permissions,
      "runs-on": z.string(),
      "timeout-minutes": z.number(),
      if: z.string().optional(),
      steps: z.array(step),
    }),
  ),
});

const workflows = readdirSync(folder).map((file) => {
  const text = readFileSync(join(folder, file), "utf8");
  return { file, text, content: workflow.parse(parse(text)) };
});
const jobs = workflows.flatMap(({ file, content }) =>
  Object.entries(content.jobs).map(([name, job]) => ({ where: `${file}: ${name}`, job })),
);
const steps = jobs.flatMap(({ where, job }) => job.steps.map((each) => ({ where, ...each })));

describe("the workflows", () => {
  it("have the expected triggers, none of which gives a fork's code a write token", () => {
    const triggers = Object.fromEntries(
      workflows.map(({ file, content }) => [file, Object.keys(content.on)]),
    );
    expect(triggers).toEqual({
      "drift.yml": ["schedule", "workflow_dispatch"],
      "main.yml": ["push"],
      "preview.yml": ["pull_request"],
      "stack.yml": ["pull_request"],
    });
  });

  it("grant no permissions to all jobs at once", () => {
    for (const { file, content } of workflows) expect(content.permissions, file).toEqual({});
  });

  it("give jobs that check out the repository a read-only token", () => {
    for (const { where, job } of jobs) {
      if (!job.steps.some(({ uses }) => uses?.startsWith("actions/checkout@"))) continue;
      expect(job.permissions, where).toEqual({ contents: "read" });
    }
  });

  it("give only the comment job a write token, and not for forks", () => {
    const writers = jobs.filter(({ job }) => Object.values(job.permissions).includes("write"));
    expect(writers.map(({ where }) => where)).toEqual(["preview.yml: comment"]);
    expect(writers[0]?.job.permissions).toEqual({ "pull-requests": "write" });
    expect(writers[0]?.job.if).toContain(
      "github.event.pull_request.head.repo.full_name == github.repository",
    );
  });

  it("pin actions to a full commit, with the version in a comment", () => {
    const lines = workflows.flatMap(({ text }) => text.split("\n").filter((line) => /\buses:/.test(line)));
    expect(lines.length).toBeGreaterThan(0);
    for (const line of lines) expect(line).toMatch(/uses: [\w.-]+\/[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$/);
  });

  it("do not persist the token in the checkout", () => {
    for (const { where, uses, with: inputs } of steps) {
      if (uses?.startsWith("actions/checkout@"))
        expect(inputs, where).toMatchObject({ "persist-credentials": false });
    }
  });

  it("pass values to scripts in the environment, not by expressions", () => {
    for (const { where, run } of steps) expect(run ?? "", where).not.toContain("${{");
  });

  it("use no secret except the run's own token", () => {
    for (const { file, text } of workflows) expect(text, file).not.toMatch(/\bsecrets\s*[.[]/);
  });

  it("use a self-hosted runner only if a variable names it, and never for a fork's code", () => {
    for (const { where, job } of jobs) {
      if (/^ubuntu-[\d.]+$/.test(job["runs-on"])) continue;
      expect(job["runs-on"], where).toMatch(/^\$\{\{ vars\.(DRIFT|STACK)_RUNNER \}\}$/);
      expect(job.if, where).toMatch(/vars\.\w+_RUNNER != ''/);
      if (where.startsWith("stack"))
        expect(job.if, where).toContain("github.event.pull_request.head.repo.full_name == github.repository");
    }
  });

  it("deploy only stacks that no other run uses, with the settings of the stack ci", () => {
    const named = workflows.flatMap(({ text }) => [...text.matchAll(/PULUMI_STACK[:=] ?(\S.*?)"?$/gm)]);
    expect(new Set(named.map(([, stack]) => stack))).toEqual(
      new Set([
        "ci-$GITHUB_RUN_ID",
        "ci-pr-${{ github.event.pull_request.number }}",
        // These are only read.
        "${{ vars.DRIFT_STACK || 'prod' }}",
        "${{ vars.PRODUCTION_STACK }}",
      ]),
    );
    for (const { where, run = "" } of steps) {
      expect(run, where).not.toContain("--stack");
      expect(run, where).not.toContain("Pulumi.ci");
    }
  });

  it("check the production rules of the stack that a variable names", () => {
    const checked = steps.filter(({ env }) => env?.["PULUMI_STACK"] === "${{ vars.PRODUCTION_STACK }}");
    expect(checked.map(({ where, if: when }) => [where, when])).toEqual([
      ["preview.yml: preview", "${{ !cancelled() && vars.PRODUCTION_STACK != '' }}"],
    ]);
    // tests/e2e/environments.test.ts checks that a preview enforces the rules.
    // A failed preview ends the step (bash -e), and its output goes into the comment.
    expect(checked[0]?.run).toMatch(/^npm run -s preview > "\$RUNNER_TEMP\/refused\.md"\n#.*\nrm /);
    expect(steps.some(({ run }) => run?.includes('cat "$RUNNER_TEMP/refused.md"'))).toBe(true);
  });

  it("fail if npm run lint changed the generated docs, before tests compare them", () => {
    const linting = jobs.filter(({ job }) => job.steps.some(({ run }) => run === "npm run lint"));
    expect(linting.map(({ where }) => where)).toEqual(["main.yml: test", "preview.yml: preview"]);
    for (const { where, job } of linting) {
      const lint = job.steps.findIndex(({ run }) => run === "npm run lint");
      expect(job.steps[lint + 1]?.run, where).toBe("git diff --exit-code");
    }
  });

  it("time out after 90 minutes at most", () => {
    for (const { where, job } of jobs) expect(job["timeout-minutes"], where).toBeLessThanOrEqual(90);
  });

  it("upload the screenshots of the console that main's tests take", () => {
    const main = workflows.find(({ file }) => file === "main.yml")?.content.jobs["test"]?.steps ?? [];
    const tests = main.findIndex(({ run }) => run === ".ci/run");
    expect(main.slice(tests + 1)).toMatchObject([
      {
        if: "${{ !cancelled() }}",
        uses: expect.stringMatching(/^actions\/upload-artifact@/) as string,
        // The folder's name begins with a dot.
        with: { path: ".screenshots/", "include-hidden-files": true },
      },
    ]);
  });

  it("check out the history that the upgrade test of main needs", () => {
    const [checkout] = workflows.find(({ file }) => file === "main.yml")?.content.jobs["test"]?.steps ?? [];
    expect(checkout).toMatchObject({
      uses: expect.stringMatching(/^actions\/checkout@/) as string,
      with: { "fetch-depth": 0 },
    });
  });
});
