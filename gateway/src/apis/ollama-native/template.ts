import { ApiError } from "../../errors.ts";

const ACTION = /\{\{-?\s*(\w+)([^{}]*)/g;
/** A range over what a conversation has, with or without names for its parts. */
const RANGE_OVER_FIELD = /^\s*(?:\$\w+\s*(?:,\s*\$\w+\s*)?:=\s*)?\$?\.[A-Za-z][\w.$]*\s*-?$/;
const MAX_RANGE_DEPTH = 3;
const MAX_LENGTH = 65_536;

/**
 * Ollama's server executes a request's template in its own process, without a limit: `{{range 2000000000}}x{{end}}`
 * fills its memory.
 *
 * @throws ApiError for a template that repeats anything but the parts of the conversation, or calls itself
 */
export function checkTemplate(template: unknown): void {
  if (typeof template !== "string") return;
  if (template.length > MAX_LENGTH) throw refusal("it is too long");
  const open: string[] = [];
  for (const [, word = "", rest = ""] of template.matchAll(ACTION)) {
    switch (word) {
      case "range":
        if (!RANGE_OVER_FIELD.test(rest))
          throw refusal("it repeats something else than parts of the conversation");
        open.push(word);
        if (open.filter((each) => each === "range").length > MAX_RANGE_DEPTH)
          throw refusal("it nests too deeply");
        break;
      case "if":
      case "with":
        open.push(word);
        break;
      case "end":
        open.pop();
        break;
      case "define":
      case "block":
      case "template":
        throw refusal("it has templates of its own");
    }
  }
  if (/\bprintf\b/.test(template)) throw refusal("it uses printf");
}

function refusal(why: string): ApiError {
  return new ApiError("invalid_value", {
    message: `Invalid value for 'template': ${why}. Put it into the model's Modelfile.`,
    param: "template",
  });
}
