/** A text is not valid JSON. */
export class JsonSyntaxError extends Error {
  override readonly name = "JsonSyntaxError";
}
