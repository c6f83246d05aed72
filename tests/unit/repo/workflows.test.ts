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
  it("are the preview and the stack of a pull request, the tests of main, and drift by the clock", () => {
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

  it("are never started in a way that gives a fork's code a token that writes", () => {
    for (const { file, content } of workflows) {
      expect(Object.keys(content.on), file).not.toContain("pull_request_target");
      expect(Object.keys(content.on), file).not.toContain("workflow_run");
    }
  });

  it("give no permission to all jobs at once", () => {
    for (const { file, content } of workflows) expect(content.permissions, file).toEqual({});
  });

  it("let a job that runs the repository's code only read", () => {
    for (const { where, job } of jobs) {
      if (!job.steps.some(({ uses }) => uses?.startsWith("actions/checkout@"))) continue;
      expect(job.permissions, where).toEqual({ contents: "read" });
    }
  });

  it("write nothing but the comment, and that not for a fork", () => {
    const writing = jobs.filter(({ job }) => Object.values(job.permissions).includes("write"));
    expect(writing.map(({ where }) => where)).toEqual(["preview.yml: comment"]);
    expect(writing[0]?.job.permissions).toEqual({ "pull-requests": "write" });
    expect(writing[0]?.job.if).toContain(
      "github.event.pull_request.head.repo.full_name == github.repository",
    );
  });

  it("use actions by their full commit, with the version beside it", () => {
    const lines = workflows.flatMap(({ text }) => text.split("\n").filter((line) => /\buses:/.test(line)));
    expect(lines.length).toBeGreaterThan(0);
    for (const line of lines) expect(line).toMatch(/uses: [\w.-]+\/[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$/);
  });

  it("keep the token out of the checkout", () => {
    for (const { where, uses, with: inputs } of steps) {
      if (uses?.startsWith("actions/checkout@"))
        expect(inputs, where).toMatchObject({ "persist-credentials": false });
    }
  });

  it("put no expression into a script: values come by the environment", () => {
    for (const { where, run } of steps) expect(run ?? "", where).not.toContain("${{");
  });

  it("use no secret but the run's own token", () => {
    for (const { file, text } of workflows) expect(text, file).not.toMatch(/secrets\./);
  });

  it("run on a machine of one's own only where a variable names it, and no fork's code there", () => {
    for (const { where, job } of jobs) {
      if (!where.startsWith("drift") && !where.startsWith("stack")) continue;
      expect(job.if, where).toMatch(/vars\.\w+_RUNNER != ''/);
      if (where.startsWith("stack"))
        expect(job.if, where).toContain("github.event.pull_request.head.repo.full_name == github.repository");
    }
  });

  it("bring up only stacks that no other run has, with the settings of the stack ci", () => {
    const named = workflows.flatMap(({ text }) => [...text.matchAll(/PULUMI_STACK[:=] ?(\S.*?)"?$/gm)]);
    expect(new Set(named.map(([, stack]) => stack))).toEqual(
      new Set([
        "ci-$GITHUB_RUN_ID",
        "ci-pr-${{ github.event.pull_request.number }}",
        // Are only looked at.
        "${{ vars.DRIFT_STACK || 'prod' }}",
        "${{ vars.PRODUCTION_STACK }}",
      ]),
    );
    for (const { where, run = "" } of steps) {
      expect(run, where).not.toContain("--stack");
      expect(run, where).not.toContain("Pulumi.ci");
    }
  });

  it("hold the stack that is for production to its rules, where a variable names it", () => {
    const held = steps.filter(({ env }) => env?.["PULUMI_STACK"] === "${{ vars.PRODUCTION_STACK }}");
    expect(held.map(({ where, if: when }) => [where, when])).toEqual([
      ["preview.yml: preview", "${{ !cancelled() && vars.PRODUCTION_STACK != '' }}"],
    ]);
    // That checks them: tests/e2e/environments.test.ts.
    // A preview that fails ends the step there, as bash is told to, and what it said goes into the comment.
    expect(held[0]?.run).toMatch(/^npm run -s preview > "\$RUNNER_TEMP\/refused\.md"\n#.*\nrm /);
    expect(steps.some(({ run }) => run?.includes('cat "$RUNNER_TEMP/refused.md"'))).toBe(true);
  });

  it("end by themselves", () => {
    for (const { where, job } of jobs) expect(job["timeout-minutes"], where).toBeLessThanOrEqual(90);
  });

  it("keep the pictures of the console that the tests of main take", () => {
    const main = workflows.find(({ file }) => file === "main.yml")?.content.jobs["test"]?.steps ?? [];
    const tests = main.findIndex(({ run }) => run === ".ci/run");
    expect(main.slice(tests + 1)).toMatchObject([
      {
        if: "${{ !cancelled() }}",
        uses: expect.stringMatching(/^actions\/upload-artifact@/) as string,
        // Its name begins with a dot.
        with: { path: ".screenshots/", "include-hidden-files": true },
      },
    ]);
  });

  it("give the tests of main the history that the test of an upgrade begins with", () => {
    const [checkout] = workflows.find(({ file }) => file === "main.yml")?.content.jobs["test"]?.steps ?? [];
    expect(checkout).toMatchObject({
      uses: expect.stringMatching(/^actions\/checkout@/) as string,
      with: { "fetch-depth": 0 },
    });
  });
});
