import * as z from "zod";

/** The patterns of all of Zod's string formats, from its JSON Schema. */
function zodPatterns(): string[] {
  const types: z.ZodType[] = [
    z.email(),
    z.email({ pattern: z.regexes.html5Email }),
    z.email({ pattern: z.regexes.rfc5322Email }),
    z.email({ pattern: z.regexes.unicodeEmail }),
    z.guid(),
    z.uuid(),
    z.uuidv4(),
    z.uuidv6(),
    z.uuidv7(),
    z.url(),
    z.httpUrl(),
    z.hostname(),
    z.emoji(),
    z.nanoid(),
    // eslint-disable-next-line @typescript-eslint/no-deprecated -- clients still send its pattern
    z.cuid(),
    z.cuid2(),
    z.ulid(),
    z.xid(),
    z.ksuid(),
    z.ipv4(),
    z.ipv6(),
    z.mac(),
    z.cidrv4(),
    z.cidrv6(),
    z.base64(),
    z.base64url(),
    z.e164(),
    z.jwt(),
    z.hex(),
    z.hash("sha256"),
    z.hash("md5", { enc: "base64" }),
    z.iso.date(),
    z.iso.time(),
    z.iso.time({ precision: 3 }),
    z.iso.datetime(),
    z.iso.datetime({ offset: true, local: true }),
    z.iso.duration(),
    z.string().startsWith("a+b"),
    z.string().endsWith(".ts"),
    z.string().includes("[x]"),
    z.string().lowercase(),
    z.string().uppercase(),
    z.templateLiteral(["v", z.int(), ".", z.number(), "-", z.enum(["alpha", "beta"])]),
    z.stringFormat("zip", /^\d{5}(?:-\d{4})?$/),
  ];
  return types.flatMap((type) => patternsIn(z.toJSONSchema(type)));
}

function patternsIn(value: unknown): string[] {
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(value).flatMap(([key, inner]) =>
    key === "pattern" && typeof inner === "string" ? [inner] : patternsIn(inner),
  );
}

/** Patterns of Pydantic 2's own types, and of its users. */
const PYDANTIC = [
  "^(?!^[-+.]*$)[+-]?0*\\d*\\.?\\d*$",
  "^(?!^[-+.]*$)[+-]?0*(?:\\d{0,3}|(?=[\\d.]{1,6}0*$)\\d{0,3}\\.\\d{0,2}0*$)",
  "^\\S+@\\S+\\.\\S+$",
  "^[0-9a-fA-F]{8}\\b-[0-9a-fA-F]{4}\\b-[0-9a-fA-F]{4}\\b-[0-9a-fA-F]{4}\\b-[0-9a-fA-F]{12}$",
  "^(?P<year>\\d{4})-(?P<month>\\d{2})-(?P<day>\\d{2})$",
  "^[A-Z]{2}\\d{2}[A-Z0-9]{1,30}$",
  "^\\+?[1-9]\\d{1,14}$",
  "^#(?:[0-9a-fA-F]{3}){1,2}$",
];

/** The formats of TypeBox, from its package. */
const TYPEBOX = [
  "^\\d{4}-[01]\\d-[0-3]\\dt[0-2]\\d:[0-5]\\d:[0-5]\\d(?:\\.\\d+)?(?:z|[+-]\\d\\d(?::?\\d\\d)?)$",
  "^(?:[a-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\\.[a-z0-9!#$%&'*+/=?^_`{|}~-]+)*|\"(?:[\\x01-\\x08\\x0b\\x0c\\x0e-\\x1f\\x21\\x23-\\x5b\\x5d-\\x7f]|\\\\[\\x01-\\x09\\x0b\\x0c\\x0e-\\x7f])*\")@(?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?\\.)+[a-z0-9](?:[a-z0-9-]*[a-z0-9])?$",
  "^(?=.{1,253}\\.?$)[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?(?:\\.[a-z0-9](?:[-0-9a-z]{0,61}[0-9a-z])?)*\\.?$",
  "^(?:(?:25[0-5]|2[0-4]\\d|1\\d\\d|[1-9]?\\d)\\.){3}(?:25[0-5]|2[0-4]\\d|1\\d\\d|[1-9]?\\d)$",
  "^(?:\\/(?:[^~/]|~0|~1)*)*$",
  "^(?:[a-z][a-z0-9+\\-.]*:)?(?:\\/?\\/)?[^\\s]*$",
  "^(?:urn:uuid:)?[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}$",
];

/** Patterns that break converters, and patterns that people write. */
const OTHERS = [
  "",
  "^$",
  "^",
  "$",
  "^^a$$",
  "abc",
  "^abc",
  "abc$",
  "^a|b$",
  "^(?:a|b)$",
  "^(?<name>a|b)+\\k<name>$",
  "^(a)(b)\\2\\1$",
  "^(?=.*[A-Z])(?=.*\\d)[A-Za-z\\d]{8,}$",
  "^(?!foo).*$",
  "(?<=a)b(?<!c)d",
  "^[\\w.-]+\\/[\\w.+-]+$",
  "^\\p{L}+[\\p{N}\\s]*$",
  "^[^\\p{L}]$",
  "^a{3000}$",
  "^a{0,99999}b{5}$",
  "^(a{100}){100}$",
  "^((a?){0,99}){0,99}$",
  "^(a*)*$",
  "^(a?b?c?)+$",
  "^(?:a?|b?)(?:c?|d?)(?:e?|f?)(?:g?|h?)x$",
  "^(a|ab|abc|)*$",
  "^()*$",
  "^(|)+$",
  "^[]$",
  "^[^]$",
  "^[z-a]$",
  "^[\\]\\\\^-]+$",
  "^[a-]+[-a]+[\\w-.]$",
  "^a}b]c{d$",
  "^a{,3}$",
  "^a{2,1}$",
  "^*$",
  "a**",
  "^(a",
  "a)b",
  "[a",
  "a\\",
  "^\\$\\{\\w+\\}$",
  '^"quoted"\\\\$',
  "^line\\nbreak\\ttab\\0$",
  "^\\u0041\\u{1F600}\\uD83D\\uDE00\\x42\\cA$",
  "^[\\uD83C-\\uDBFF][\\uDC00-\\uDFFF]$",
  "^[\\u4e00-\\u9fa5a-z]{1,5}$",
  "^é+😀{2}[à-ü]?$",
  "^.*$",
  "^.{1,2000}$",
  "^[\\s\\S]*?end$",
  "^(?:(?:(?:(?:a))))$",
  "^(?i)abc$",
  "(?i:abc)",
  "\\Aabc\\Z",
  "^[[:alpha:]]+$",
  "^\\bword\\b.\\B$",
  `^${"(".repeat(30)}a${")".repeat(30)}$`,
  `^${"(".repeat(60)}a${")*".repeat(60)}$`,
  `^${"a?".repeat(300)}$`,
  `^${"(a|b?)".repeat(40)}$`,
  "x".repeat(5000),
];

/** Patterns that clients send: those of libraries' formats, and those that have broken a converter. */
export const schemaPatterns: readonly string[] = [
  ...new Set([...zodPatterns(), ...PYDANTIC, ...TYPEBOX, ...OTHERS]),
];
