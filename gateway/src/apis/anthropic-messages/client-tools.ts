import type { CustomTool } from "./schema.ts";

/** What the model sees of a tool, and whether it is deferred. */
export type ShownTool = Pick<CustomTool, "name" | "description" | "input_schema" | "defer_loading">;

interface KnownSchema {
  /** Matches all dated versions of the type. */
  readonly type: RegExp;
  readonly name: string;
  readonly description: string;
  readonly schema: Readonly<Record<string, unknown>>;
}

const text = (description: string) => ({ type: "string", description });
const integer = (description: string) => ({ type: "integer", description });
const range = {
  type: "array",
  items: { type: "integer" },
  description:
    "The first and the last line to view, counted from 1; -1 stands for the last line of the file.",
};

function object(properties: object, required: readonly string[]): Readonly<Record<string, unknown>> {
  return { type: "object", properties, required };
}

/** Parameters of both versions of the editor. */
const edits = {
  path: text("The path of a file or a folder."),
  view_range: range,
  file_text: text("For create: the content of the new file."),
  old_str: text("For str_replace: the text to replace, which has to be in the file exactly once."),
  new_str: text("For str_replace: the text that takes its place."),
  insert_line: integer("For insert: the number of the line after which the text goes; 0 is the beginning."),
  insert_text: text("For insert: the text to insert."),
};

function editor(type: RegExp, name: string, commands: readonly string[]): KnownSchema {
  return {
    type,
    name,
    description: "Views, creates and edits files. `view` shows a file, or what is in a folder.",
    schema: object({ command: { type: "string", enum: commands }, ...edits }, ["command", "path"]),
  };
}

const EDITS = ["view", "create", "str_replace", "insert"];

/** Client-run tools of Anthropic's API, whose schemas Anthropic's models know without being shown them. */
const KNOWN_SCHEMAS: readonly KnownSchema[] = [
  {
    type: /^bash_\d{8}$/,
    name: "bash",
    description: "Runs a command in a bash session that lasts as long as the conversation.",
    schema: object(
      {
        command: text("The command to run. Not needed to restart the session."),
        restart: { type: "boolean", description: "Starts the session again." },
      },
      [],
    ),
  },
  editor(/^text_editor_202(?:41022|50124)$/, "str_replace_editor", [...EDITS, "undo_edit"]),
  editor(/^text_editor_\d{8}$/, "str_replace_based_edit_tool", EDITS),
  {
    type: /^memory_\d{8}$/,
    name: "memory",
    description:
      "Keeps files in the folder /memories from one conversation to the next. View the folder before anything else.",
    schema: object(
      {
        command: { type: "string", enum: [...EDITS, "delete", "rename"] },
        ...edits,
        path: text("The path below /memories."),
        old_path: text("For rename: the present path."),
        new_path: text("For rename: the new path."),
      },
      ["command"],
    ),
  },
];

const NAME = /^[A-Za-z0-9_-]{1,128}$/;

/** Returns a client-run tool with its schema; undefined for a tool that runs elsewhere. */
export function clientTool(tool: {
  readonly type?: unknown;
  readonly name?: unknown;
  readonly defer_loading?: unknown;
}): ShownTool | undefined {
  const { type, name, defer_loading: deferred } = tool;
  const known = KNOWN_SCHEMAS.find((each) => typeof type === "string" && each.type.test(type));
  if (known === undefined) return undefined;
  return {
    name: typeof name === "string" && NAME.test(name) ? name : known.name,
    description: known.description,
    input_schema: known.schema,
    ...(deferred === true ? { defer_loading: true } : {}),
  };
}
