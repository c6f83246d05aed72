import * as z from "zod";
import { object } from "../common/parameters.ts";
import { unsupported, unsupportedForms } from "../common/validation.ts";
import { breakpoint, imageDetail, imageUrl } from "../openai-chat/schema.ts";
import { toolList } from "./tool-schema.ts";
import { unknownForm } from "./unknown-form.ts";

// The items of a conversation. What the client wrote itself is exact; in what a server of this API once sent, whatever
// the model cannot use is dropped: another server may have sent it, or a newer version of this one.

const textPart = object({ type: z.enum(["input_text", "text"]), text: z.string(), ...breakpoint });

const imagePart = object({
  type: z.literal("input_image"),
  image_url: imageUrl,
  detail: imageDetail.nullish(),
  file_id: unsupported("the gateway keeps no files"),
  ...breakpoint,
});

const outputPart = object({ type: z.literal("output_text"), text: z.string() });
const refusalPart = object({ type: z.literal("refusal"), refusal: z.string() });
const thoughtPart = object({ type: z.enum(["summary_text", "reasoning_text"]), text: z.string() });

const mediaParts = unsupportedForms(
  "type",
  ["computer_screenshot", "input_audio", "input_file", "input_video"],
  "only text and images are read",
);

const inputParts = z.array(
  z.discriminatedUnion("type", [textPart, imagePart, outputPart, refusalPart, thoughtPart, mediaParts]),
);

const knownOutputParts = ["input_text", "text", "output_text", "refusal", "summary_text", "reasoning_text"];

const outputParts = z.array(
  z.union([
    z.discriminatedUnion("type", [textPart, outputPart, refusalPart, thoughtPart]),
    unknownForm(knownOutputParts),
  ]),
);

const itemId = { id: z.string().nullish(), status: z.string().nullish() };

const message = z
  .discriminatedUnion("role", [
    object({
      type: z.literal("message").nullish(),
      role: z.enum(["user", "system", "developer"]),
      content: z.union([z.string(), inputParts]),
      ...itemId,
    }),
    object({
      type: z.literal("message").nullish(),
      role: z.literal("assistant"),
      content: z.union([z.string(), outputParts]).nullish(),
      ...itemId,
    }),
  ])
  .transform((item) => ({ ...item, type: "message" as const }));

const functionCall = object({
  type: z.literal("function_call"),
  call_id: z.string(),
  name: z.string(),
  namespace: z.string().nullish(),
  arguments: z.string().nullish(),
  ...itemId,
});

const customCall = object({
  type: z.literal("custom_tool_call"),
  call_id: z.string(),
  name: z.string(),
  namespace: z.string().nullish(),
  input: z.string().nullish(),
  ...itemId,
});

const callOutput = object({
  type: z.enum(["function_call_output", "custom_tool_call_output"]),
  call_id: z.string().nullish(),
  name: z.string().nullish(),
  output: z.union([z.string(), inputParts]).nullish(),
  ...itemId,
});

/** Calls that a client runs itself, whose tools the model is not offered here: it may read what came of them. */
const shellCall = object({
  type: z.enum(["local_shell_call", "shell_call"]),
  call_id: z.string().nullish(),
  action: z.record(z.string(), z.unknown()).nullish(),
  ...itemId,
});

const patchCall = object({
  type: z.literal("apply_patch_call"),
  call_id: z.string().nullish(),
  operation: z.record(z.string(), z.unknown()).nullish(),
  ...itemId,
});

const clientOutput = object({
  type: z.enum(["local_shell_call_output", "shell_call_output", "apply_patch_call_output"]),
  call_id: z.string().nullish(),
  output: z.unknown().optional(),
  ...itemId,
});

const mcpCall = object({
  type: z.literal("mcp_call"),
  name: z.string(),
  arguments: z.string().nullish(),
  output: z.string().nullish(),
  error: z.unknown().optional(),
  ...itemId,
});

const thoughts = z.array(z.union([thoughtPart, textPart, unknownForm(["summary_text", "reasoning_text"])]));

const reasoning = object({
  type: z.literal("reasoning"),
  summary: thoughts.nullish(),
  content: thoughts.nullish(),
  encrypted_content: z.string().nullish(),
  ...itemId,
});

const additionalTools = object({ type: z.literal("additional_tools"), tools: toolList, ...itemId });

const reference = object({ type: z.literal("item_reference"), id: z.string() });
const untypedReference = object({ type: z.null().optional(), id: z.string() }).transform(({ id }) => ({
  type: "item_reference" as const,
  id,
}));

const known = [
  message,
  functionCall,
  customCall,
  callOutput,
  shellCall,
  patchCall,
  clientOutput,
  mcpCall,
  reasoning,
  additionalTools,
  reference,
] as const;

const KNOWN_TYPES = [
  "additional_tools",
  "apply_patch_call",
  "apply_patch_call_output",
  "custom_tool_call",
  "custom_tool_call_output",
  "function_call",
  "function_call_output",
  "item_reference",
  "local_shell_call",
  "local_shell_call_output",
  "mcp_call",
  "message",
  "reasoning",
  "shell_call",
  "shell_call_output",
];

export const inputItem = z.union([
  z.discriminatedUnion("type", known),
  untypedReference,
  unknownForm(KNOWN_TYPES),
]);

export type ResponsesItem = z.output<typeof inputItem>;
