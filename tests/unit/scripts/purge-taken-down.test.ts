import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeEach, describe, expect, it } from "vitest";
import { assertTakenDown } from "../../../scripts/purge/taken-down.ts";
import { FakeDocker } from "../../../test-support/fakes/fake-docker.ts";

const program = new FakeDocker("pulumi");
const before = process.env["OLLAMA_STACK_STATE"];
const folder = mkdtempSync(join(tmpdir(), "ollama-stack-taken-down-"));
process.env["OLLAMA_STACK_STATE"] = folder;
afterAll(() => {
  program.remove();
  rmSync(folder, { recursive: true });
  if (before === undefined) delete process.env["OLLAMA_STACK_STATE"];
  else process.env["OLLAMA_STACK_STATE"] = before;
});
beforeEach(() => {
  rmSync(join(folder, "backend"), { recursive: true, force: true });
  program.mock({});
});

const resource = { urn: "urn:pulumi:lab::ollama-stack::kubernetes:core/v1:Namespace::namespace", type: "t" };
const stillDeployed =
  "the state of the stack lab still has resources; destroy it first: npm run destroy -- --stack lab. If its engine or cluster no longer exists, remove the stack from the state: npm run pulumi -- stack rm lab --force --preserve-config";

/** Writes a stack to the project's own state. */
function writeState(stack: string, resources: readonly object[]): void {
  const stacks = join(folder, "backend", ".pulumi", "stacks", "ollama-stack");
  mkdirSync(stacks, { recursive: true });
  writeFileSync(join(stacks, `${stack}.json`), JSON.stringify({ checkpoint: { latest: { resources } } }));
}

describe("a purge of one stack is rejected", () => {
  it("while the project's own state has resources of the stack", async () => {
    writeState("lab", [resource]);
    await expect(assertTakenDown("lab", undefined)).rejects.toThrow(stillDeployed);
  });

  it("while the state of another backend has resources of the stack", async () => {
    program.mock({ "stack export": JSON.stringify({ deployment: { resources: [resource] } }) });
    await expect(assertTakenDown("lab", process.env)).rejects.toThrow(stillDeployed);
    expect(program.calls).toEqual(["stack export --stack lab"]);
  });

  it("while another backend cannot be read", async () => {
    program.mock({ "stack export": { fails: "error: could not get stack: unauthorized" } });
    await expect(assertTakenDown("lab", process.env)).rejects.toThrow(
      "the state of the stack lab cannot be read, so the stack may still be up: error: could not get stack: unauthorized. " +
        "If that state is lost, run it again without PULUMI_BACKEND_URL and after npm run pulumi -- logout",
    );
  });

  it("while its file in the project's own state cannot be read", async () => {
    writeState("lab", []);
    const file = join(folder, "backend", ".pulumi", "stacks", "ollama-stack", "lab.json");
    writeFileSync(file, "{");
    await expect(assertTakenDown("acme/ollama-stack/lab", undefined)).rejects.toThrow(
      `the state ${file} cannot be read, so the stack lab may still be up. Restore the file, or remove it if that state is lost`,
    );
    await assertTakenDown("other", undefined);
  });
});

describe("a purge of every stack is rejected", () => {
  it("while the project's own state has resources", async () => {
    writeState("lab", [resource]);
    await expect(assertTakenDown(undefined, undefined)).rejects.toThrow(
      "the stack lab still exists; destroy it first: npm run destroy -- --stack lab",
    );
  });

  it("while another backend has resources of a stack", async () => {
    const stacks = [
      { name: "new" },
      { name: "gone", resourceCount: 0 },
      { name: "acme/prod", resourceCount: 9 },
    ];
    program.mock({ "stack ls": JSON.stringify(stacks) });
    await expect(assertTakenDown(undefined, process.env)).rejects.toThrow(
      "the stack acme/prod still exists; destroy it first: npm run destroy -- --stack acme/prod. If it is not yours, remove what one of yours left: npm run purge -- --stack NAME",
    );
    program.mock({ "stack ls": JSON.stringify(stacks.slice(0, 2)) });
    await assertTakenDown(undefined, process.env);
    program.mock({ "stack ls": JSON.stringify([{ name: "lab", lastUpdate: "2026-11-30T05:57:19.974Z" }]) });
    await expect(assertTakenDown(undefined, process.env)).rejects.toThrow("the stack lab still exists");
  });

  it("while another backend cannot be read", async () => {
    program.mock({ "stack ls": { fails: "error: unauthorized" } });
    await expect(assertTakenDown(undefined, process.env)).rejects.toThrow(
      "the state of the backend cannot be read, so a stack may still be up: error: unauthorized. If that state is lost",
    );
  });
});

describe("a purge of one stack is allowed", () => {
  it("after a destroy, whatever other stacks have", async () => {
    writeState("lab", []);
    writeState("other", [resource]);
    program.mock({ "stack export": JSON.stringify({ deployment: {} }) });
    await assertTakenDown("lab", undefined);
    await assertTakenDown("lab", process.env);
  });

  it("without the passphrase of its secrets", async () => {
    program.mock({
      "stack export --stack lab": JSON.stringify({
        deployment: { secrets_providers: { type: "passphrase" }, resources: [] },
      }),
      "stack export": { fails: "error: incorrect passphrase" },
    });
    await assertTakenDown("lab", process.env);
  });

  it("if no state contains the stack", async () => {
    program.mock({ "stack export": { fails: "error: no stack named 'lab' found" } });
    await assertTakenDown("lab", process.env);
  });
});
