/**
 * Limits of Ollama's conversion from JSON Schema to a grammar, from its sources and tests with Ollama 0.17.4. The
 * server converts the schema in its own process (`SchemaToGrammar` of llama/llama.go, `schema_to_grammar` of
 * llama/sampling_ext.cpp); the runner parses the grammar and constrains the sampler. An invalid grammar becomes a null
 * sampler, which crashes the runner and the streams of all its clients.
 */

/** Maximum number of repetitions of an item: MAX_REPETITION_THRESHOLD of llama-grammar.cpp. */
export const MAX_REPETITIONS = 2000;

/** The grammar of an array is its first item followed by repeated others, so one more fits. */
export const MAX_ITEMS = MAX_REPETITIONS + 1;

/** Total number of repetitions in a schema; each is a rule of about 600 bytes in the runner's memory. */
export const MAX_TOTAL_REPETITIONS = 100_000;

/** Longer patterns are ignored. */
export const MAX_PATTERN_LENGTH = 2048;

/**
 * Number of positions in a pattern with its repetitions expanded; the runner tries a token at each reachable position.
 */
export const MAX_PATTERN_POSITIONS = 2500;

/** Number of ways to match eight characters of one kind, summed over all positions of a pattern. */
export const MAX_PATTERN_RUNS = 30_000;

/**
 * Number of alternatives at one point: of an enum, or of alternatives and their references. With 2,000, a token takes
 * the runner 0.1 s, and the time is quadratic.
 */
export const MAX_ALTERNATIVES = 2000;

/**
 * Ollama truncates a grammar at four bytes per byte of schema, with a minimum of 32 KiB and a maximum of 1 MiB; a
 * truncated one does not parse. A schema whose grammar may exceed the first is padded with a comment.
 */
export const UNCUT_GRAMMAR_BYTES = 32_768;
export const GRAMMAR_BYTES_PER_SCHEMA_BYTE = 4;
export const MAX_GRAMMAR_BYTES = 1_000_000;

/**
 * libstdc++'s regex_replace recurses for each character that is not a letter or digit: a stack of 8 MiB suffices for
 * 10,000.
 */
export const MAX_NAME_BYTES = 4096;

/** With additional properties, the grammar nests as deep as the names are long. */
export const MAX_EXCLUDED_NAME_BYTES = 512;

/** The converter recurses into schemas and references: a stack of 8 MiB suffices for about 4,000 levels. */
export const MAX_DEPTH = 200;
export const MAX_REFERENCE_DEPTH = 1500;

/** Each reference copies the schema that contains it: at most definitions times values. 1.5 million take 0.5 s. */
export const MAX_DEFINITIONS = 500;
export const MAX_COPIED_VALUES = 6_000_000;

/**
 * Work for optional properties: their number cubed, and more if names differ only in characters other than letters and
 * digits, as the converter then searches for free names. 1,000 optional properties take 1.3 s.
 */
export const MAX_OPTIONAL_PROPERTY_WORK = 1_500_000_000;

/**
 * Number of steps that the gateway's work on a schema may take, about a microsecond each: the keywords, properties and
 * list elements that it examines. A schema whose grammar has the maximum size rarely needs two thirds.
 */
export const MAX_STEPS = 30_000;

/**
 * Number of steps for the distinct patterns of a schema; further ones are ignored. Most patterns take less than a
 * hundred, the one of an e-mail address 1,400, and the most expensive a few thousand.
 */
export const MAX_PATTERN_STEPS = 15_000;

/** Number of nodes, positions and edges of a pattern that cost one step. */
export const PATTERN_VISITS_PER_STEP = 60;

/** Steps for following a reference, for searching a part for a name, and for a part that may be endless. */
export const HOP_STEPS = 4;
export const STEPS_PER_NAMED_PART = 0.5;
export const STEPS_PER_SEARCHED_PART = 0.125;

/** Characters of a reference, or of a value, that cost one step. */
export const STEP_CHARACTERS = 16;

/** A JSON pointer through names of the maximum length may be longer, but no library generates one. */
export const MAX_REFERENCE_LENGTH = 8192;

/**
 * Integer bounds are written digit by digit. Above this, JavaScript cannot distinguish them, and generators of schemas
 * write it where they mean no bound.
 */
export const MAX_INTEGER = Number.MAX_SAFE_INTEGER;

/** The largest double of 16 digits: the converter writes no longer integers, with or without bounds. */
export const MAX_WRITTEN_INTEGER = 9_999_999_999_999_998;

/**
 * Without a maximum, the converter writes a minimum of three digits or more wrongly: 100 allows 10, and 110 does not
 * allow 1000.
 */
export const MAX_ONE_SIDED_MINIMUM = 99;

/** Size of the grammar of a bound: this, times the sum of the numbers from 1 to that of its digits. */
export const BOUND_BYTES = 24;

/** Size of the grammars of all bounds of integers; further ones are ignored. */
export const MAX_TOTAL_BOUND_BYTES = 400_000;

/** Types that the converter supports beyond those of JSON Schema. */
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

/** Formats that the converter supports; it ignores others. */
export const FORMATS = /^(?:uuid[1-5]?|date|time|date-time)$/;
