import { describe, expect, test } from "vitest";
import { readEmbeddings } from "../../../gateway/src/ollama/embeddings-json.ts";

const keepText = (_vector: readonly number[], text: Buffer): Buffer => text;

async function read(json: string): Promise<{ counts: object; vectors: string[] }> {
  const { counts, vectors } = await readEmbeddings(Buffer.from(json), keepText);
  return { counts, vectors: vectors.map(String) };
}

describe("reads embeddings from", () => {
  test.each([
    ['{"model":"m","embeddings":[[1,2.5e-7],[-3]],"prompt_eval_count":2}', ["[1,2.5e-7]", "[-3]"]],
    ['{"model":"m","embeddings":[]}', []],
    ['{"model":"m","embeddings":null}', []],
    ['{"model":"m"}', []],
    ['{"embedding":[1,2]}', []],
    [' { "embeddings" : [ [ 1 , 2 ] ,\n[3] ] , "total_duration" : 1 } ', ["[ 1 , 2 ]", "[3]"]],
    ['{"model":"\\"embeddings\\":[[9]]é","embeddings":[[1]]}', ["[1]"]],
  ])("%s", async (json, vectors) => {
    const result = await read(json);
    expect(result.vectors).toEqual(vectors);
    const others = Object.entries(JSON.parse(json) as object).filter(([key]) => key !== "embeddings");
    expect(result.counts).toMatchObject(Object.fromEntries(others));
  });
});

test("reads embeddings over several turns of the event loop", async () => {
  const { vectors } = await read(`{"embeddings":[${"[0.5],".repeat(100_000)}[1]]}`);
  expect([vectors.length, vectors.at(-1)]).toEqual([100_001, "[1]"]);
});

describe("fails with upstream_failed for invalid JSON:", () => {
  test.each([
    "",
    "oops",
    '{"embeddings":[',
    '{"embeddings":[[1],[2',
    '{"embeddings":[[1],]}',
    '{"embeddings":[[1][2]]}',
    '{"embeddings":[,[1]]}',
    '{"embeddings":[[1]]',
    '{"embeddings":[[1]]}}',
    '{"embeddings":[[1,]]}',
    '{"embeddings":[1]}',
  ])("%s", async (json) => {
    await expect(read(json)).rejects.toMatchObject({ code: "upstream_failed" });
  });
});
