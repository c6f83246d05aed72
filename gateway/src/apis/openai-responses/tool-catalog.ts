import { invalidValue } from "../../errors.ts";
import type { IgnoredParameters } from "../common/parameters.ts";
import type { OfferedTool } from "../common/tool-choice.ts";
import { MAX_TOOLS } from "../openai-chat/schema.ts";
import type { ResponsesTool } from "./tool-schema.ts";

/** The client's name for a tool that the model knows by a single name. */
interface ToolIdentity {
  readonly kind: "function" | "custom";
  readonly name: string;
  readonly namespace?: string | undefined;
}

interface CatalogTool extends OfferedTool {
  readonly identity: ToolIdentity;
}

// OpenAI's models know functions of this namespace by their plain names.
const DEFAULT_NAMESPACE = "functions";

/** The text argument of a custom tool. */
const CUSTOM_INPUT = "input";

/** The model's name for a tool in a namespace, which Ollama's functions lack. */
export function flatName(name: string, namespace?: string | null): string {
  if (!namespace || namespace === DEFAULT_NAMESPACE) return name;
  return namespace.endsWith("_") ? namespace + name : `${namespace}__${name}`;
}

/**
 * The request's tools as Ollama functions: namespaces are flattened, and custom tools get a single text argument. Tools
 * that only OpenAI's servers can run are omitted.
 */
export class ToolCatalog {
  readonly offered: readonly CatalogTool[];
  /** Types of omitted tools. */
  readonly omitted: ReadonlySet<string>;
  readonly #byName = new Map<string, CatalogTool>();
  readonly #names = new Map<string, string>();

  /**
   * @param lists the request's lists of tools, each with its parameter
   * @throws ApiError for too many tools
   */
  constructor(
    lists: readonly { readonly tools: readonly ResponsesTool[]; readonly param: string }[],
    ignored: IgnoredParameters,
  ) {
    const omitted = new Set<string>();
    const add = (tool: ResponsesTool, param: string, namespace?: string): void => {
      if (tool.type === "namespace") {
        for (const [i, each] of tool.tools.entries()) add(each, `${param}.tools[${i}]`, tool.name);
      } else if (tool.type === "function" || tool.type === "custom") {
        const name = this.#freeName(tool.name, namespace);
        if (this.#byName.size === MAX_TOOLS && !this.#byName.has(name))
          throw invalidValue("tools", `there are more than ${MAX_TOOLS} tools. Send fewer.`);
        const one = offer(tool, name, namespace, param);
        if (tool.type === "custom" && tool.format?.type === "grammar") ignored.ignore(`${param}.format`);
        this.#byName.set(name, one);
        this.#names.set(keyOf(tool.name, namespace), name);
      } else {
        omitted.add(tool.name);
        ignored.ignore(param);
      }
    };
    for (const { tools, param } of lists)
      for (const [i, tool] of tools.entries()) add(tool, `${param}[${i}]`);
    // A later definition replaces an earlier one: clients repeat their tools with each turn of a stored conversation.
    this.offered = [...this.#byName.values()];
    this.omitted = omitted;
  }

  /** Returns the client's name for a tool that the model called. */
  identityOf(called: string): ToolIdentity {
    const found = this.#byName.get(called)?.identity;
    if (found !== undefined) return found;
    // Small models omit the namespace.
    const [only, other] = this.offered.filter(({ identity }) => identity.name === called);
    if (only !== undefined && other === undefined) return only.identity;
    return { kind: "function", name: called };
  }

  /** Returns the model's name for a tool that the client named. */
  nameOf(name: string, namespace?: string | null): string {
    return this.#names.get(keyOf(name, namespace)) ?? flatName(name, namespace);
  }

  /** Disambiguates equal flat names. */
  #freeName(name: string, namespace?: string): string {
    const known = this.#names.get(keyOf(name, namespace));
    if (known !== undefined) return known;
    const flat = flatName(name, namespace);
    if (!this.#byName.has(flat)) return flat;
    let number = 2;
    while (this.#byName.has(`${flat}_${number}`)) number += 1;
    return `${flat}_${number}`;
  }
}

function keyOf(name: string, namespace?: string | null): string {
  return `${namespace ?? ""}\0${name}`;
}

/** The text that the model passed to a custom tool. */
export function customInput(args: unknown): string {
  if (typeof args === "string") return args;
  const values: unknown[] = typeof args === "object" && args !== null ? Object.values(args) : [];
  const named = (args as { [CUSTOM_INPUT]?: unknown } | null)?.[CUSTOM_INPUT];
  if (typeof named === "string") return named;
  // Accept a single argument of any name.
  const [only] = values;
  return values.length === 1 && typeof only === "string" ? only : JSON.stringify(args ?? "");
}

/** The arguments of an earlier call of a custom tool. */
export function customArguments(input: string): Readonly<Record<string, unknown>> {
  return { [CUSTOM_INPUT]: input };
}

function offer(
  tool: Extract<ResponsesTool, { type: "function" | "custom" }>,
  name: string,
  namespace: string | undefined,
  param: string,
): CatalogTool {
  const identity: ToolIdentity = {
    kind: tool.type,
    name: tool.name,
    ...(namespace === undefined ? {} : { namespace }),
  };
  if (tool.type === "custom") {
    const { description, format } = tool;
    const grammar =
      format?.type === "grammar" ? `The ${format.syntax} grammar of its input:\n${format.definition}` : "";
    return {
      identity,
      param: `${param}.format`,
      tool: {
        type: "function",
        function: {
          name,
          description: [description ?? "", grammar].filter((text) => text !== "").join("\n\n"),
          parameters: {
            type: "object",
            properties: {
              [CUSTOM_INPUT]: { type: "string", description: "The input of the tool, as text." },
            },
            required: [CUSTOM_INPUT],
          },
        },
      },
    };
  }
  const { description, parameters } = tool;
  return {
    identity,
    param: `${param}.parameters`,
    tool: {
      type: "function",
      function: {
        name,
        ...(description == null ? {} : { description }),
        ...(parameters == null ? {} : { parameters }),
      },
    },
  };
}
