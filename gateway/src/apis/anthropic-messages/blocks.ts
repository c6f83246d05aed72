import * as z from "zod";
import { unsupportedForms } from "../common/validation.ts";
import { ignored, object } from "../common/parameters.ts";

// What was sent before is read again each time: nothing is cached, and nothing changes by it.
const cached = { cache_control: ignored };

export const textBlock = object({ type: z.literal("text"), text: z.string(), citations: ignored, ...cached });

const imageBlock = object({
  type: z.literal("image"),
  source: z.discriminatedUnion("type", [
    object({ type: z.literal("base64"), media_type: z.string().regex(/^image\//), data: z.string() }),
    // Nothing is fetched on behalf of a client, and no file is kept.
    z.looseObject({ type: z.enum(["url", "file"]) }),
  ]),
  transformations: ignored,
  ...cached,
});

const documentBlock = object({
  type: z.literal("document"),
  source: z.discriminatedUnion("type", [
    object({ type: z.literal("text"), media_type: ignored, data: z.string() }),
    object({
      type: z.literal("content"),
      content: z.union([z.string(), z.array(z.discriminatedUnion("type", [textBlock, imageBlock]))]),
    }),
    object({ type: z.literal("base64"), media_type: z.string().optional(), data: z.string() }),
    z.looseObject({ type: z.enum(["url", "file"]) }),
  ]),
  title: z.string().optional(),
  context: z.string().optional(),
  citations: ignored,
  ...cached,
});

const searchResultBlock = object({
  type: z.literal("search_result"),
  source: z.string().optional(),
  title: z.string().optional(),
  content: z.union([z.string(), z.array(textBlock)]),
  citations: ignored,
  ...cached,
});

const toolReferenceBlock = object({ type: z.literal("tool_reference"), tool_name: z.string(), ...cached });

const uploadBlock = z.looseObject({ type: z.literal("container_upload") });

const toolUseBlock = object({
  type: z.literal("tool_use"),
  id: z.string(),
  name: z.string(),
  input: z.record(z.string(), z.unknown()).optional(),
});

/**
 * A block of a kind that has no form here. Only its texts are read.
 *
 * @param allowed which kinds are taken
 */
function otherBlock(allowed: (type: string) => boolean) {
  return z
    .looseObject({ type: z.string().refine(allowed) })
    .transform((block) => ({ type: "other" as const, block }));
}

/** As a client sent it. */
export interface OtherBlock extends Readonly<Record<string, unknown>> {
  readonly type: string;
}

const resultBlock = z.discriminatedUnion("type", [
  textBlock,
  imageBlock,
  documentBlock,
  searchResultBlock,
  toolReferenceBlock,
]);

/** What a tool returned. A client cannot change it any more, so no kind of block is refused. */
const toolResultBlock = object({
  type: z.literal("tool_result"),
  tool_use_id: z.string(),
  content: z
    .union([z.string(), z.array(z.union([resultBlock, otherBlock(isNoneOf(resultBlock))]))])
    .optional(),
  is_error: z.boolean().optional(),
});

const thinkingBlock = object({
  type: z.literal("thinking"),
  thinking: z.string().optional(),
  signature: z.string().optional(),
});

/** A change of the tools in mid-conversation. */
const toolChangeBlock = z.looseObject({ type: z.enum(["tool_addition", "tool_removal"]), tool: z.unknown() });

const contentBlocks = [
  textBlock,
  imageBlock,
  documentBlock,
  searchResultBlock,
  toolResultBlock,
  uploadBlock,
  toolChangeBlock,
] as const;

const knownUserBlock = z.discriminatedUnion("type", [
  ...contentBlocks,
  unsupportedForms(
    "type",
    ["tool_use", "thinking", "redacted_thinking"],
    "only the assistant calls tools and thinks",
  ),
]);

/** Blocks that come from Anthropic's own servers. */
const SERVER_BLOCK = /_tool_result$|^(server|mcp)_tool_use$|^mcp_tool_listing$|^compaction$|^fallback$/;

export const userBlock = z.union([knownUserBlock, otherBlock((type) => SERVER_BLOCK.test(type))]);

const knownAssistantBlock = z.discriminatedUnion("type", [...contentBlocks, toolUseBlock, thinkingBlock]);

/** Whatever an API of this kind has sent comes back. */
export const assistantBlock = z.union([knownAssistantBlock, otherBlock(isNoneOf(knownAssistantBlock))]);

export const systemBlock = z.discriminatedUnion("type", [
  textBlock,
  toolChangeBlock,
  unsupportedForms("type", ["image", "document", "search_result", "tool_result"], "a system message is text"),
]);

function isNoneOf(blocks: { readonly _zod: { readonly propValues?: z.core.util.PropValues } }) {
  const known = blocks._zod.propValues?.["type"];
  return (type: string): boolean => known?.has(type) !== true;
}

export type TextBlock = z.output<typeof textBlock>;
export type ImageBlock = z.output<typeof imageBlock>;
export type DocumentBlock = z.output<typeof documentBlock>;
export type SearchResultBlock = z.output<typeof searchResultBlock>;
export type ToolResultBlock = z.output<typeof toolResultBlock>;
export type ToolChangeBlock = z.output<typeof toolChangeBlock>;
export type Block = z.output<typeof userBlock> | z.output<typeof assistantBlock>;
