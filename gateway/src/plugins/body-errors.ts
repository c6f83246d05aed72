import { ApiError, toApiError } from "../errors.ts";
import { ACCEPTED_ENCODINGS, type ContentDecoder } from "../lib/content-encodings.ts";
import {
  JsonLimitError,
  MAX_DEPTH,
  MAX_ELEMENTS,
  MAX_KEYS,
  MAX_KEY_BYTES,
  MAX_NUMBER_LENGTH,
  MAX_VALUES,
} from "../lib/json/limits.ts";
import { JsonSyntaxError } from "../lib/json/syntax-error.ts";
import { writePath } from "../lib/json/path.ts";
import { shorten } from "./quoted-input.ts";

/** The error for a content encoding that the gateway does not support. */
export function unknownEncoding(encoding = ""): ApiError {
  return new ApiError("unsupported_media_type", {
    message:
      `The content encoding '${shorten(encoding)}' is not supported. ` +
      `Use one of ${ACCEPTED_ENCODINGS}, or none.`,
  });
}

/** The error for a body that does not match its content encoding. */
export function badEncoding({ name }: ContentDecoder, cause: Error): ApiError {
  return new ApiError("invalid_request", {
    message: `The request body is not valid ${name}, as declared by Content-Encoding. Send the complete body, or leave it uncompressed.`,
    cause,
  });
}

/** Maps a JSON parser error to the error of the API. */
export function toBodyError(error: unknown): Error {
  if (error instanceof JsonSyntaxError) return new ApiError("invalid_json");
  if (!(error instanceof JsonLimitError)) return toApiError(error);
  const param = writePath(error.path);
  const location = param === "" ? "the request body" : `'${param}'`;
  const details = param === "" ? {} : { param };
  const invalid = (reason: string, advice: string): ApiError =>
    new ApiError("invalid_value", {
      message: `Invalid value for ${location}: ${reason}. ${advice}`,
      ...details,
    });
  switch (error.limit) {
    case "depth":
      return new ApiError("invalid_request", {
        message: `The request body is nested more than ${MAX_DEPTH} levels deep, at ${location}. Flatten it.`,
      });
    case "values":
      return new ApiError("body_too_large", {
        message: `The request body holds more than ${MAX_VALUES} values, up to ${location}. Split the request.`,
      });
    case "elements":
      return invalid(`it has more than ${MAX_ELEMENTS} elements`, "Split the request.");
    case "keys":
      return invalid(`it has more than ${MAX_KEYS} keys`, "Split the request.");
    case "key":
      return invalid(`one of its keys is longer than ${MAX_KEY_BYTES} bytes`, "Shorten the key.");
    case "number":
      return invalid(`the number has more than ${MAX_NUMBER_LENGTH} characters`, "Round it.");
    case "range":
      return invalid("the number is larger than a double can hold", "Send a smaller one, or a string.");
    case "prototype":
      return invalid("the key is reserved", "Rename it.");
  }
}
