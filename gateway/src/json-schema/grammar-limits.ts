/**
 * What Ollama's way from a JSON Schema to a grammar cannot take, as read in Ollama 0.17.4 and tried there. The server
 * converts the schema in its own process (`SchemaToGrammar` of llama/llama.go, `schema_to_grammar` of
 * llama/sampling_ext.cpp); the model's runner parses the grammar and holds the sampler to it. A grammar that does not
 * parse is a null sampler that the runner then calls, so whatever the parser refuses costs every client of the runner
 * its stream.
 */

/** Most times that a grammar may repeat an item: MAX_REPETITION_THRESHOLD of llama-grammar.cpp. */
export const MAX_REPETITIONS = 2000;

/** An array is its first item, then the others, each with a comma: one more fits than may be repeated. */
export const MAX_ITEMS = MAX_REPETITIONS + 1;

/** Repetitions in all of a schema: each one is a rule in the runner's memory, of about 600 bytes. */
export const MAX_TOTAL_REPETITIONS = 100_000;

/** Characters of all patterns in a schema: reading one of 2,048 takes the gateway up to 10 ms. */
export const MAX_PATTERN_TEXT = 16_384;

/** Places in a pattern, with its repetitions written out: a token is tried at each place where the text may be. */
export const MAX_PATTERN_POSITIONS = 2500;

/** Ways to read eight characters of one kind, from all places in a pattern together. */
export const MAX_PATTERN_RUNS = 30_000;

/**
 * Values that may come next: of an enum, or of alternatives and what they refer to. With 2,000 a token takes the runner
 * 0.1 s, and the time grows with the square.
 */
export const MAX_ALTERNATIVES = 2000;

/**
 * Ollama cuts a grammar off at four bytes for each byte of the schema, but not below 32 KiB, and always at 1 MiB; what
 * is left does not parse. A schema whose grammar may be longer than the first is made longer by a comment.
 */
export const UNCUT_GRAMMAR_BYTES = 32_768;
export const GRAMMAR_BYTES_PER_SCHEMA_BYTE = 4;
export const MAX_GRAMMAR_BYTES = 1_000_000;

/** libstdc++'s regex_replace recurses for each character of a name that is no letter or digit: 10,000 fit a stack of 8 MiB. */
export const MAX_NAME_BYTES = 4096;

/** With additional properties, the grammar nests as deep as the names are long. */
export const MAX_EXCLUDED_NAME_BYTES = 512;

/** The converter recurses into schemas and their references: about 4,000 levels fit a stack of 8 MiB. */
export const MAX_DEPTH = 200;
export const MAX_REFERENCE_DEPTH = 1500;

/** Each reference copies the schema it is in: definitions times values, at most. 1.5 million take 0.5 s. */
export const MAX_DEFINITIONS = 500;
export const MAX_COPIED_VALUES = 6_000_000;

/**
 * Work for the optional properties of objects: their number cubed, and more where names differ only in what is no
 * letter or digit, because the converter then searches for a free name. 1,000 optional properties take 1.3 s.
 */
export const MAX_OPTIONAL_PROPERTY_WORK = 1_500_000_000;

/** Bounds of integers are written digit by digit. Beyond this, JavaScript cannot tell them apart. */
export const MAX_INTEGER = Number.MAX_SAFE_INTEGER;

/** A bound with no other side is written with at most 15 digits after the first. */
export const MAX_ONE_SIDED_INTEGER = 999_999_999_999_999;

/** Types beside those of JSON Schema that the converter has rules for. */
export const PRIMITIVES: ReadonlySet<string> = new Set([
  "array",
  "boolean",
  "char",
  "decimal-part",
  "integer",
  "integral-part",
  "null",
  "number",
  "object",
  "string",
  "uuid",
  "value",
]);

/** Formats that the converter has rules for; others say nothing to it. */
export const FORMATS = /^(?:uuid[1-5]?|date|time|date-time)$/;
