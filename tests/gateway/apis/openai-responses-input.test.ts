import { expect, test } from "vitest";
import { adaptResponses } from "../../../gateway/src/apis/openai-responses/adapter.ts";
import { responsesSchema } from "../../../gateway/src/apis/openai-responses/schema.ts";
import { parseBody } from "../../../gateway/src/apis/common/validation.ts";

function translate(body: object): object {
  return adaptResponses(parseBody(responsesSchema, { model: "m", input: "Hi", ...body }), {
    ignore: () => undefined,
  }).call.body;
}

const user = { role: "user", content: "Hi" };
const parameters = { type: "object", properties: {} };

test("512 tools may be repeated in each turn", () => {
  const many = Array.from({ length: 512 }, (_, index) => ({
    type: "function",
    name: `f${index}`,
    parameters,
  }));
  const repeated = [{ type: "additional_tools", tools: many }, user];
  expect(translate({ tools: many, input: repeated })).toMatchObject({ tools: { length: 512 } });
  const another = [{ type: "additional_tools", tools: [{ ...many[0], name: "other" }] }, user];
  expect(() => translate({ tools: many, input: another })).toThrow("more than 512 tools");
});

test.each<[object, object]>([
  [
    { type: "input_file", file_id: "f" },
    { param: "input[0].content[0].type", code: "unsupported_parameter" },
  ],
  [{ type: "input_text" }, { param: "input[0].content[0].text", code: "missing_required_parameter" }],
])("an invalid message with an ID is no item reference: %j", (part, error) => {
  const input = [{ id: "msg_1", role: "user", content: [part] }];
  expect(() => translate({ input })).toThrow(expect.objectContaining({ status: 400, ...error }) as Error);
});

test("an image without URL but with a file's ID names the file's ID", () => {
  const input = [{ role: "user", content: [{ type: "input_image", file_id: "f" }] }];
  expect(() => translate({ input })).toThrow(
    "Unsupported value for 'input[0].content[0].file_id': the gateway keeps no files.",
  );
});
