import * as z from "zod";
import { hint, ignored, object } from "../common/parameters.ts";
import { letsTheModelCall } from "../common/noop-values.ts";
import { unsupportedVariants } from "../common/validation.ts";
import { anyTool, MAX_TOOLS, toolName } from "../openai-chat/schema.ts";
import { unknownVariant } from "./unknown-variant.ts";

const name = toolName;

/** Fields for how a tool is called. */
const calling = {
  allowed_callers: hint("only the model itself calls", letsTheModelCall),
  async: hint("the model waits for the output of a call", (value) => value === false),
  // All tools are shown from the start.
  defer_loading: z.unknown().optional(),
};

const functionTool = object(
  () => ({
    type: z.literal("function"),
    name,
    description: z.string().nullish(),
    parameters: z.record(z.string(), z.unknown()).nullish(),
    strict: z.boolean().nullish(),
    output_schema: ignored,
    ...calling,
  }),
  "tools[]",
);

const customTool = object(
  () => ({
    type: z.literal("custom"),
    name,
    description: z.string().nullish(),
    format: z
      .discriminatedUnion("type", [
        object(() => ({ type: z.literal("text") })),
        object(() => ({ type: z.literal("grammar"), syntax: z.string(), definition: z.string() })),
      ])
      .nullish(),
    ...calling,
  }),
  "tools[]",
);

/** A tool that only OpenAI's servers, or a client without calls in this API, can run. */
const otherTool = unknownVariant(["function", "custom", "namespace"]).describe(
  "A tool that the gateway cannot run. It is ignored, unless a call is required, which is rejected.",
);

const namespaceTool = object(
  () => ({
    type: z.literal("namespace"),
    name,
    description: z.string().nullish(),
    tools: z
      .array(z.union([z.discriminatedUnion("type", [functionTool, customTool]), otherTool]))
      .max(MAX_TOOLS),
  }),
  "tools[]",
);

const tool = z.union([z.discriminatedUnion("type", [functionTool, customTool, namespaceTool]), otherTool]);

export const toolList = z.array(tool).max(MAX_TOOLS);

export type ResponsesTool = z.output<typeof tool>;

const namedTool = object(() => ({
  type: z.enum(["function", "custom"]),
  name: z.string(),
  namespace: z.string().nullish(),
}));

const unsupportedChoice = unsupportedVariants(
  "type",
  [
    "apply_patch",
    "code_interpreter",
    "computer",
    "computer_use",
    "computer_use_preview",
    "file_search",
    "image_generation",
    "local_shell",
    "mcp",
    "programmatic_tool_calling",
    "shell",
    "tool_search",
    "web_search",
    "web_search_2025_08_26",
    "web_search_preview",
    "web_search_preview_2025_03_11",
  ],
  "the gateway cannot run this tool",
);

export const toolChoice = z.union([
  z.enum(["auto", "none", "required"]),
  z.discriminatedUnion("type", [
    namedTool,
    object(() => ({
      type: z.literal("allowed_tools"),
      mode: z.enum(["auto", "required"]),
      tools: z.array(z.union([namedTool, otherTool])).max(MAX_TOOLS),
    })),
    unsupportedChoice,
  ]),
  // The formats of other APIs of this kind.
  anyTool,
  object(() => ({ type: z.literal("function"), function: object(() => ({ name: z.string() })) })).transform(
    ({ type, function: { name: called } }) => ({ type, name: called, namespace: undefined }),
  ),
]);
