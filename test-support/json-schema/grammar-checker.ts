/** The tokens that `pattern/rewrite.ts` writes, the only ones that Ollama's converter accepts, read independently. */
const PATTERN_TOKEN =
  /\[\^"\\\\\\x00-\\x1F\]|\[(?:[A-Za-z0-9"-]|\\\\|\\x[0-9A-F]{2}|\\u[0-9A-F]{4}|\\U[0-9A-F]{8})+\]|[A-Za-z0-9 _@:;,=~%&#'<>!/`-]|[()|]|[*+?]|\{(\d+)(,?)(\d*)\}/y;

const KEYWORDS: ReadonlySet<string> = new Set([
  "$comment",
  "$defs",
  "$ref",
  "additionalProperties",
  "anyOf",
  "const",
  "enum",
  "format",
  "items",
  "maxItems",
  "maxLength",
  "maximum",
  "minItems",
  "minLength",
  "minimum",
  "pattern",
  "prefixItems",
  "properties",
  "required",
  "type",
]);
const TYPES = [
  "object",
  "array",
  "string",
  "number",
  "integer",
  "boolean",
  "null",
  "value",
  "char",
  "uuid",
  "decimal-part",
  "integral-part",
];

type Schema = Readonly<Record<string, unknown>>;

/** Returns the constructs of a schema that are fatal for Ollama. Empty if Ollama accepts it. */
export function faultsIn(root: Schema): string[] {
  const faults: string[] = [];
  const definitions = (root["$defs"] ?? {}) as Record<string, Schema>;
  const report = (path: string, fault: string): void => void faults.push(`${path || "#"}: ${fault}`);

  const check = (schema: Schema, path: string): void => {
    for (const keyword of Object.keys(schema)) if (!KEYWORDS.has(keyword)) report(path, `keyword ${keyword}`);
    const { type, pattern, items, enum: values } = schema;
    for (const each of Array.isArray(type) ? type : type === undefined ? [] : [type]) {
      if (!TYPES.includes(each as string)) report(path, `type ${JSON.stringify(each)}`);
    }
    if (schema["$ref"] !== undefined) {
      const name = /^#\/\$defs\/(d\d+)$/.exec(schema["$ref"] as string)?.[1] ?? "";
      if (!Object.hasOwn(definitions, name)) report(path, "a reference to nothing");
      if (Object.keys(schema).length > 1) report(path, "a reference with something beside it");
    }
    if (pattern !== undefined) for (const fault of patternFaults(pattern as string)) report(path, fault);
    checkCounts(schema, path, "minLength", "maxLength", 2000);
    checkCounts(schema, path, "minItems", "maxItems", 2001);
    checkIntegers(schema, path);
    if (Array.isArray(values) && (values.length === 0 || values.length > 2000))
      report(path, "size of the enum");
    if (hasReferenceKey(schema["const"]) || hasReferenceKey(values)) report(path, "$ref in a value");
    const alternatives = schema["anyOf"];
    if (alternatives !== undefined && !(Array.isArray(alternatives) && alternatives.length > 0)) {
      report(path, "no alternatives");
    }
    const properties = (schema["properties"] ?? {}) as Record<string, Schema>;
    const names = Object.keys(properties);
    if (names.includes("$ref")) report(path, "a property named $ref");
    if (names.some((name) => Buffer.byteLength(name) > 4096)) report(path, "a long name");
    const additional = schema["additionalProperties"];
    if (additional !== undefined && names.some((name) => !/^[ !#-[_-~]{0,512}$/.test(name))) {
      report(path, "additional properties beside names that cannot be excluded");
    }
    for (const [name, property] of Object.entries(properties)) check(property, `${path}.${name}`);
    if (typeof additional === "object" && additional !== null) check(additional as Schema, `${path}.*`);
    if (items !== undefined) check(items as Schema, `${path}[]`);
    for (const key of ["anyOf", "prefixItems"]) {
      for (const [index, each] of ((schema[key] ?? []) as Schema[]).entries())
        check(each, `${path}.${key}[${index}]`);
    }
  };

  const checkCounts = (schema: Schema, path: string, least: string, most: string, limit: number): void => {
    const min = (schema[least] ?? 0) as number;
    const max = (schema[most] ?? limit) as number;
    if (!(Number.isInteger(min) && Number.isInteger(max) && 0 <= min && min <= max && max <= limit)) {
      report(path, `${least} ${min}, ${most} ${max}`);
    }
  };

  const checkIntegers = (schema: Schema, path: string): void => {
    const { minimum: min, maximum: max } = schema as { minimum?: number; maximum?: number };
    for (const bound of [min, max])
      if (bound !== undefined && !(Number.isInteger(bound) && Math.abs(bound) < 1e16))
        report(path, `bound ${bound}`);
    if (min !== undefined && max !== undefined && min > max) report(path, "minimum over maximum");
    if (min !== undefined && max === undefined && min >= 100) report(path, "a single minimum of 3 digits");
    if (max !== undefined && min === undefined && max < 0) report(path, "a single negative maximum");
  };

  check(root, "");
  for (const [name, definition] of Object.entries(definitions)) check(definition, name);
  if (definitions["d0"] !== undefined && root["$ref"] !== undefined)
    report("", "a reference next to the definitions");
  return faults;
}

/** Returns what is wrong with a pattern of `pattern/rewrite.ts`. */
export function patternFaults(pattern: string): string[] {
  if (!pattern.startsWith("^") || !pattern.endsWith("$")) return [`no anchors: ${pattern}`];
  const body = pattern.slice(1, -1);
  let depth = 0;
  let previous = "(";
  PATTERN_TOKEN.lastIndex = 0;
  while (PATTERN_TOKEN.lastIndex < body.length) {
    const at = PATTERN_TOKEN.lastIndex;
    const token = PATTERN_TOKEN.exec(body);
    if (token === null) return [`cannot be read at ${at}: ${pattern}`];
    const [text, min, comma, max] = token;
    const isQuantifier = /^[*+?{]/.test(text);
    if (isQuantifier && /^[(|*+?{]/.test(previous)) return [`a quantifier after '${previous}': ${pattern}`];
    if (text === "(") depth += 1;
    if (text === ")") depth -= 1;
    if (depth < 0) return [`unbalanced: ${pattern}`];
    if (min !== undefined) {
      const most = comma === "" || max === "" ? Number(min) : Number(max);
      if (Number(min) > most || most > 2000) return [`repetition ${text}: ${pattern}`];
    }
    previous = text;
  }
  return depth === 0 ? [] : [`unbalanced: ${pattern}`];
}

function hasReferenceKey(value: unknown): boolean {
  if (typeof value !== "object" || value === null) return false;
  return Object.hasOwn(value, "$ref") || Object.values(value).some(hasReferenceKey);
}
