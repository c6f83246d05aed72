import { type ApiError, invalidValue } from "../../errors.ts";

const MAX_LENGTH = 65_536;
const MAX_RANGE_DEPTH = 3;

// Maximum output of a template, in characters. Ollama's server holds several copies.
const MAX_OUTPUT = 64 * 1024 * 1024;

// System and user message, and those from the model's file.
const USUAL_MESSAGES = 4;

// JSON may escape a character as six.
const JSON_GROWTH = 6;

/** Go literals; the group is empty for an unterminated one. */
const LITERAL = /"(?:\\.|[^"\\\n])*("?)|'(?:\\.|[^'\\\n])*('?)|`[^`]*(`?)/g;
const WORD = /(?<![.$\w])[A-Za-z_]\w*/g;
/** A range over a field of the conversation, with or without variables. */
const RANGE_OVER_FIELD = /^(?:\$\w+\s*(?:,\s*\$\w+\s*)?:=\s*)?\$?\.[A-Za-z][\w.$]*$/;
/** Only written directly: in a variable or pipeline, the output could be escaped repeatedly. */
const JSON_WRITTEN = /^json\s+[$\w.]+$|^[$\w.]+\s*\|\s*json$/;

/** Allowed words: control flow, comparisons, and functions whose output is not longer than their input. */
const WORDS: ReadonlySet<string> = new Set(
  (
    "if else end with range break continue and or not eq ne lt le gt ge len index slice true false nil " +
    "json currentDate yesterdayDate toTypeScriptType"
  ).split(" "),
);

/** Actions without output. */
const CONTROL = /^(?:if|else|end|with|range|break|continue)\b/;

/** Data of the request that a template can output. */
interface TemplateData {
  readonly prompt?: unknown;
  readonly system?: unknown;
  readonly suffix?: unknown;
  readonly images?: unknown;
}

/**
 * Ollama's server runs a request's template in its own process, without limits: `{{range 2000000000}}x{{end}}` fills
 * its memory, as does doubling a variable 40 times.
 *
 * @throws ApiError for a template that loops over anything but the conversation, calls itself, uses functions that
 *   lengthen text, or could output too much
 */
export function checkTemplate(template: unknown, data: TemplateData): void {
  if (typeof template !== "string") return;
  if (template.length > MAX_LENGTH) throw invalidTemplate("it is too long");
  const images = Array.isArray(data.images) ? (data.images as unknown[]) : [];
  const repetitions = USUAL_MESSAGES + images.length;
  const written = [data.prompt, data.system, data.suffix, ...images].reduce<number>(
    (sum, text) => sum + (typeof text === "string" ? text.length : 0),
    0,
  );
  const open: ("branch" | "range")[] = [];
  let depth = 0;
  let output = 0;
  for (const { text, action } of partsOf(template)) {
    const writes = action === "" || CONTROL.test(action) ? 0 : written * growthOf(action);
    output += (text + action.length + writes) * repetitions ** depth;
    if (output > MAX_OUTPUT) throw invalidTemplate("it repeats the request too often");
    if (/^(?:if|with)\b/.test(action)) open.push("branch");
    else if (/^range\b/.test(action)) {
      if (!RANGE_OVER_FIELD.test(action.slice("range".length).trim()))
        throw invalidTemplate("it repeats something else than parts of the conversation");
      if (depth === MAX_RANGE_DEPTH) throw invalidTemplate("it nests too deeply");
      open.push("range");
      depth += 1;
    } else if (/^end\b/.test(action) && open.pop() === "range") depth -= 1;
  }
}

/** Yields the actions without their literals, each with the length of the preceding text. */
function* partsOf(template: string): Generator<{ readonly text: number; readonly action: string }> {
  let at = 0;
  for (;;) {
    const begin = template.indexOf("{{", at);
    const end = begin < 0 ? -1 : template.indexOf("}}", begin + 2);
    if (end < 0) {
      yield { text: template.length - at, action: "" };
      return;
    }
    const inside = template
      .slice(begin + 2, end)
      .replace(/^-(?=\s)/, "")
      .replace(/\s-$/, "")
      .trim();
    yield { text: begin - at, action: inside.startsWith("/*") ? ended(inside) : checked(inside) };
    at = end + 2;
  }
}

/** A comment that continues after braces could hide an action. */
function ended(comment: string): "" {
  if (comment.length < "/**/".length || !comment.endsWith("*/"))
    throw invalidTemplate("it has braces within a comment");
  return "";
}

function checked(action: string): string {
  const plain = action.replace(LITERAL, (_literal, ...ends: (string | undefined)[]) => {
    if (ends.slice(0, 3).includes(""))
      throw invalidTemplate("it has braces or a line break within a text in quotes");
    return "0";
  });
  for (const [word] of plain.matchAll(WORD))
    if (!WORDS.has(word)) throw invalidTemplate(`it uses '${word.slice(0, 40)}'`);
  if (/(?<![.$\w])json\b/.test(plain) && !JSON_WRITTEN.test(plain))
    throw invalidTemplate("it uses the result of 'json' for something else than writing it");
  return plain;
}

function growthOf(action: string): number {
  return JSON_WRITTEN.test(action) ? JSON_GROWTH : 1;
}

function invalidTemplate(reason: string): ApiError {
  return invalidValue("template", `${reason}. Put it into the model's Modelfile.`);
}
