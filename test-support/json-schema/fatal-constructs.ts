/**
 * JSON Schema constructs that crash or hang Ollama 0.17.4: how, where in its llama.cpp, and how the gateway handles
 * them. The numbers are in grammar-limits.ts of the gateway. Review against the sources for a new version of Ollama;
 * the tests send each example, made safe, to the real one.
 */
type Effect = "server crashes" | "server hangs" | "runner crashes" | "runner hangs" | "refused with 500";
type Treatment = "rewritten" | "widened" | "dropped" | "refused with 400";

interface FatalConstruct {
  readonly construct: string;
  readonly effect: Effect;
  readonly treatment: Treatment;
  /** Function and file in Ollama's llama/llama.cpp. */
  readonly source: string;
  readonly example: Readonly<Record<string, unknown>>;
}

const CONVERTER = "common/json-schema-to-grammar.cpp";
const PARSER = "src/llama-grammar.cpp";

const inProperty = (schema: unknown): Readonly<Record<string, unknown>> => ({
  type: "object",
  properties: { x: schema },
  required: ["x"],
});
const pattern = (source: string): Readonly<Record<string, unknown>> =>
  inProperty({ type: "string", pattern: source });

const recursive = { $defs: { a: { $ref: "#/$defs/a" } } };

export const FATAL_CONSTRUCTS: readonly FatalConstruct[] = [
  {
    construct: "a pattern with a group that begins with a question mark",
    effect: "server crashes",
    treatment: "rewritten",
    source: `${CONVERTER}: _visit_pattern (seq.back() of an empty sequence)`,
    example: pattern("^(?:a|b)$"),
  },
  {
    construct: "a pattern with a lookaround",
    effect: "server crashes",
    treatment: "widened",
    source: `${CONVERTER}: _visit_pattern (seq.back() of an empty sequence)`,
    example: pattern("^(?=a)[ab]+$"),
  },
  {
    construct: "a pattern that begins with a quantifier",
    effect: "server crashes",
    treatment: "dropped",
    source: `${CONVERTER}: _visit_pattern (seq.back() of an empty sequence)`,
    example: pattern("^*a$"),
  },
  {
    construct: "a pattern with a closing bracket or brace that stands for itself",
    effect: "server hangs",
    treatment: "rewritten",
    source: `${CONVERTER}: _visit_pattern (a literal of no length)`,
    example: pattern("^a}$"),
  },
  {
    construct: "a pattern without anchors",
    effect: "refused with 500",
    treatment: "rewritten",
    source: `${CONVERTER}: _visit_pattern`,
    example: pattern("abc"),
  },
  {
    construct: "a pattern with an escape that grammars do not have",
    effect: "runner crashes",
    treatment: "rewritten",
    source: `${PARSER}: parse_char`,
    example: pattern("^\\w+\\/[\\d\\-]\\s$"),
  },
  {
    construct: "a pattern with a back-reference",
    effect: "runner crashes",
    treatment: "widened",
    source: `${PARSER}: parse_char`,
    example: pattern("^(a|b)\\1$"),
  },
  {
    construct: "a pattern that repeats what can be empty",
    effect: "runner crashes",
    treatment: "rewritten",
    source: `${PARSER}: llama_grammar_advance_stack (recursion without end)`,
    example: pattern("^(a*)*$"),
  },
  {
    construct: "a pattern that repeats repetitions",
    effect: "runner hangs",
    treatment: "widened",
    source: `${PARSER}: llama_grammar_advance_stack (every way through is walked)`,
    example: pattern("^((a?){0,99}){0,99}$"),
  },
  {
    construct: "a pattern that reads a text in very many ways",
    effect: "runner hangs",
    treatment: "dropped",
    source: `${PARSER}: llama_grammar_reject_candidates_for_stack (recurses for each way and character)`,
    example: pattern(`^${"a?".repeat(300)}$`),
  },
  {
    construct: "a pattern with a class that matches nothing",
    effect: "runner crashes",
    treatment: "dropped",
    source: `${PARSER}: llama_grammar_accept_token (no token is left)`,
    example: pattern("^[z-a]$"),
  },
  {
    construct: "a pattern with a repetition over 2,000",
    effect: "runner crashes",
    treatment: "widened",
    source: `${PARSER}: parse_sequence (MAX_REPETITION_THRESHOLD)`,
    example: pattern("^a{3000}$"),
  },
  {
    construct: "a length over 2,000",
    effect: "runner crashes",
    treatment: "widened",
    source: `${PARSER}: parse_sequence (MAX_REPETITION_THRESHOLD)`,
    example: inProperty({ type: "string", minLength: 3000, maxLength: 4000 }),
  },
  {
    construct: "more than 2,001 items",
    effect: "runner crashes",
    treatment: "widened",
    source: `${PARSER}: parse_sequence (MAX_REPETITION_THRESHOLD)`,
    example: inProperty({ type: "array", items: { type: "string" }, minItems: 2500 }),
  },
  {
    construct: "a minimum over its maximum",
    effect: "runner crashes",
    treatment: "refused with 400",
    source: `${PARSER}: parse_sequence (handle_repetitions)`,
    example: inProperty({ type: "string", minLength: 5, maxLength: 3 }),
  },
  {
    construct: "a negative count",
    effect: "runner crashes",
    treatment: "refused with 400",
    source: `${PARSER}: parse_sequence (a number is expected)`,
    example: inProperty({ type: "array", items: { type: "string" }, minItems: -1 }),
  },
  {
    construct: "an integer's only bound with more than 15 digits",
    effect: "runner crashes",
    treatment: "rewritten",
    source: `${CONVERTER}: _build_min_max_int (a repetition of 16 to 15)`,
    example: inProperty({ type: "integer", minimum: 2222222222222222 }),
  },
  {
    construct: "no alternatives",
    effect: "runner crashes",
    treatment: "refused with 400",
    source: `${CONVERTER}: _generate_union_rule (a rule without an end)`,
    example: inProperty({ anyOf: [] }),
  },
  {
    construct: "additional properties beside a name with a bracket, a backslash, a quote or other alphabets",
    effect: "runner crashes",
    treatment: "dropped",
    source: `${CONVERTER}: _not_strings (a class of unescaped bytes)`,
    example: { type: "object", properties: { "a]b": {}, größe: {} }, additionalProperties: true },
  },
  {
    construct: "a property name of tens of thousands of characters",
    effect: "server crashes",
    treatment: "refused with 400",
    source: `${CONVERTER}: _add_rule (regex_replace recurses)`,
    example: { type: "object", properties: { ["ä".repeat(20_000)]: {} } },
  },
  {
    construct: "a property named $ref",
    effect: "refused with 500",
    treatment: "refused with 400",
    source: `${CONVERTER}: resolve_refs (takes the properties for a reference)`,
    example: { type: "object", properties: { $ref: { type: "string" } } },
  },
  {
    construct: "a reference to the root",
    effect: "refused with 500",
    treatment: "rewritten",
    source: `${CONVERTER}: resolve_refs`,
    example: { type: "object", properties: { next: { $ref: "#" } } },
  },
  {
    construct: "a reference that leads to itself",
    effect: "runner crashes",
    treatment: "refused with 400",
    source: `${PARSER}: llama_grammar_detect_left_recursion`,
    example: { $ref: "#/$defs/a", ...recursive },
  },
  {
    construct: "allOf of a reference that leads to itself",
    effect: "server crashes",
    treatment: "refused with 400",
    source: `${CONVERTER}: visit (add_component recurses without end)`,
    example: { allOf: [{ $ref: "#/$defs/a" }], ...recursive },
  },
  {
    construct: "definitions that each offer several others",
    effect: "runner hangs",
    treatment: "refused with 400",
    source: `${PARSER}: llama_grammar_detect_left_recursion, llama_grammar_advance_stack (every way is walked)`,
    example: forks(30),
  },
  {
    construct: "a grammar longer than 32 KiB and four times its schema",
    effect: "runner crashes",
    treatment: "rewritten",
    source: "llama.go: SchemaToGrammar (cuts it off)",
    example: nested(60),
  },
];

/** 2^depth ways to generate a string. */
function forks(depth: number): Readonly<Record<string, unknown>> {
  const levels = Array.from({ length: depth }, (_, level) => {
    const next = [{ $ref: `#/$defs/a${level + 1}` }, { $ref: `#/$defs/b${level + 1}` }];
    return [
      [`a${level}`, { anyOf: next }],
      [`b${level}`, { anyOf: next.toReversed() }],
    ] as const;
  });
  const ends = [
    [`a${depth}`, { type: "string" }],
    [`b${depth}`, { type: "number" }],
  ] as const;
  return { anyOf: [{ $ref: "#/$defs/a0" }], $defs: Object.fromEntries([...levels.flat(), ...ends]) };
}

function nested(depth: number): Readonly<Record<string, unknown>> {
  let schema: Readonly<Record<string, unknown>> = { type: "string" };
  for (let level = 0; level < depth; level += 1) {
    schema = { type: "object", properties: { level: schema, next: { type: "integer" } } };
  }
  return schema;
}
