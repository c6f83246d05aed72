import { isJsonObject } from "../../lib/json/exact-numbers.ts";
import { JsonParser } from "../../lib/json/parser.ts";
import { simpleJsonValues } from "../../lib/json/scan.ts";

// Limit for parsing the arguments of all calls in a request, which the body's own limits see as strings.
const MAX_BYTES = 4 * 1024 * 1024;
const MAX_VALUES = 65_536;

/**
 * Parses the arguments of calls in a conversation: OpenAI has them as text, Ollama as an object. Arguments that are
 * invalid or too large stay text.
 */
export class ToolArguments {
  #bytes = 0;
  #values = 0;

  /** Some clients send an empty text for a call without arguments. */
  read(text: string): unknown {
    if (text === "") return {};
    this.#bytes += text.length;
    if (this.#bytes > MAX_BYTES) return { value: text };
    try {
      const value = this.#parse(text);
      return isJsonObject(value) ? value : { value };
    } catch {
      return { value: text };
    }
  }

  #parse(text: string): unknown {
    const values = simpleJsonValues(text);
    if (values !== undefined && this.#values + values <= MAX_VALUES) {
      this.#values += values;
      return JSON.parse(text);
    }
    const parser = new JsonParser(MAX_VALUES - this.#values);
    try {
      parser.push(Buffer.from(text));
      return parser.end();
    } finally {
      this.#values += parser.values;
    }
  }
}
