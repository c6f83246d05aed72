import { afterAll, describe, expect, it } from "vitest";
import { FakeDocker, type FakeResponse } from "../../../test-support/fakes/fake-docker.ts";
import { fake, run } from "../../../test-support/components/model-command.ts";

const docker = new FakeDocker();
afterAll(() => {
  docker.remove();
});

const own = "running\nx-ollama-models\n";

/** Deletes the model of a stack at whose former URL another server responds, which must keep its model. */
async function deleteOwn(inspected: FakeResponse, exec: FakeResponse) {
  const { server, url } = await fake();
  server.models.set("tiny:1b", { digest: "e", size: 5 });
  docker.mock({ "container inspect": inspected, exec });
  const variables = { OLLAMA_CONTAINER: "x-ollama", OLLAMA_VOLUME: "x-ollama-models" };
  const result = await run("delete-model", { OLLAMA_URL: url, ...variables });
  expect(server.changes).toEqual([]);
  return { ...result, calls: docker.calls.filter((call) => call.startsWith("exec")) };
}

const remove = "exec x-ollama ollama rm tiny:1b";

describe("a model whose server has another URL by now", () => {
  it("is deleted in the stack's own container", async () => {
    expect(await deleteOwn(own, "deleted 'tiny:1b'\n")).toMatchObject({
      code: 0,
      stdout: "tiny:1b is deleted\n",
      calls: [remove],
    });
  });

  it("may not exist", async () => {
    expect(await deleteOwn(own, { fails: "Error: model 'tiny:1b' not found" })).toMatchObject({
      code: 0,
      stdout: "tiny:1b did not exist\n",
    });
  });

  it("is deleted after a conflict with a concurrent deletion", async () => {
    const conflict = { fails: "Error: lstat manifests/library/tiny: no such file", then: "" };
    expect(await deleteOwn(own, conflict)).toMatchObject({
      code: 0,
      stdout: "tiny:1b is deleted\n",
      calls: [remove, remove],
    });
  });

  it("fails the update if Ollama keeps failing", async () => {
    const { code, stderr, calls } = await deleteOwn(own, { fails: "Error: disk is read-only" });
    expect([code, stderr]).toEqual([1, expect.stringContaining("cannot delete tiny:1b: docker exec failed")]);
    expect(calls).toHaveLength(5);
  });

  it.each([
    ["removed", { fails: "Error: No such container: x-ollama" }, "is not running"],
    ["stopped", "exited\nx-ollama-models\n", "is not running"],
    ["using another volume", "running\nshared-models\n", "has another volume than x-ollama-models"],
  ])("stays if that container is %s", async (_what, inspected, reason) => {
    const { code, stderr, calls } = await deleteOwn(inspected, "");
    expect([code, stderr]).toEqual([0, expect.stringContaining(`${reason}: tiny:1b stays in its volume`)]);
    expect(calls).toEqual([]);
  });
});
