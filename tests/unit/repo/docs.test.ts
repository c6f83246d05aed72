import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { configSchema } from "../../../components/config/config.ts";
import { configKeys, updated } from "../../../scripts/commands/docs.ts";

const documents = Object.fromEntries(
  ["README.md", "CONTRIBUTING.md", ...readdirSync("docs").map((file) => `docs/${file}`)].map((file) => [
    file,
    readFileSync(file, "utf8"),
  ]),
);
const readme = documents["README.md"] ?? "";

function found(text: string, pattern: RegExp): string[] {
  return [...text.matchAll(pattern)].map(([, name = ""]) => name);
}

function sources(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: "utf8" })
    .filter((name) => /\.(ts|mjs)$/.test(name) && !name.includes("node_modules"))
    .map((name) => readFileSync(join(folder, name), "utf8"));
}

describe("README.md", () => {
  it("has the tables that Pulumi.yaml and the gateway's config make; if not: npm run docs", async () => {
    expect(readme).toBe(await updated(readme));
  });

  it("quotes messages that the code has", () => {
    const section = readme.slice(readme.indexOf("## Troubleshooting"), readme.indexOf("## Security"));
    const messages = found(section, /^\| `([^`]+)`/gm);
    expect(messages.length).toBeGreaterThan(10);
    const code = ["components", "engine", "host", "scripts", "toolchain", "gateway/src"]
      .flatMap(sources)
      .join("\n");
    const missing = messages
      .flatMap((message) => message.split("…"))
      .map((fragment) => fragment.trim())
      .filter((fragment) => fragment.length > 3 && !code.includes(fragment));
    expect(missing).toEqual([]);
  });

  it("links to files and headings that are there", () => {
    const headings = found(readme, /^#+ (.+)$/gm).map((title) =>
      title
        .toLowerCase()
        .replaceAll(/[^\w\s-]/g, "")
        .replaceAll(/\s/g, "-"),
    );
    for (const target of found(readme, /\]\(([^) ]+)/g)) {
      const [file = "", heading] = target.split("#");
      if (file === "") expect(headings).toContain(heading);
      else if (!file.startsWith("https://")) expect(existsSync(file), file).toBe(true);
    }
  });
});

/** The lines of the table that begins with "what is promised" and has so many columns, without footnotes. */
function comparison(file: string, columns: number): string[][] {
  const tables = (documents[file] ?? "")
    .split("\n\n")
    .filter((part) => part.startsWith("| what is promised "));
  const rows = tables.map((table) =>
    table.split("\n").map((line) =>
      line
        .split(" |")
        .slice(0, -1)
        .map((cell) =>
          cell
            .replace(/^\|/, "")
            .replace(/\[\^\w+\]/, "")
            .trim(),
        ),
    ),
  );
  return (rows.find(([head]) => head?.length === columns) ?? expect.fail(file)).slice(2);
}

describe("the comparison with other gateways", () => {
  const lines = comparison("README.md", 6);

  it("has the same lines in README.md and in docs/gateway-comparison.md, and the same said of the others", () => {
    const details = comparison("docs/gateway-comparison.md", 5);
    expect(lines.map(([promise]) => promise)).toEqual(details.map(([promise]) => promise));
    for (const [i, [promise, , ...others]] of lines.entries())
      for (const [j, said] of others.entries()) {
        const detail = details[i]?.[j + 1] ?? "";
        if (said === "yes") expect(detail, promise).toMatch(/^(yes|20 of 20)/);
        if (said === "no") expect(detail, promise).not.toMatch(/^(yes|20 of 20)/);
      }
  });

  it("names a test for each yes of ours", () => {
    expect(lines.length).toBeGreaterThan(20);
    for (const [promise, ours = ""] of lines) {
      const [, name, file = "", title = ""] = /^yes: \[`(.+?)`\]\((\S+) "([^"]+)"\)/.exec(ours) ?? [];
      expect(file, promise).toBe(`tests/${name}.test.ts`);
      expect(readFileSync(file, "utf8"), promise).toContain(`"${title}`);
    }
  });
});

describe("the config keys", () => {
  it("are the same in Pulumi.yaml and in the schema that checks them", () => {
    expect(Object.keys(configKeys()).sort()).toEqual(Object.keys(configSchema.shape).sort());
  });

  it.each(
    readdirSync(".")
      .filter((file) => /^Pulumi\..+\.yaml$/.test(file))
      .map((file) => [file, readFileSync(file, "utf8")]),
  )("in %s exist", (_file, text) => {
    for (const key of found(text, /^\s+ollama-stack:(\w+):/gm))
      expect(Object.keys(configKeys())).toContain(key);
  });
});

describe.each(Object.entries(documents))("%s", (_file, text) => {
  it("names scripts that package.json has", () => {
    const { scripts } = JSON.parse(readFileSync("package.json", "utf8")) as { scripts: object };
    const names = [...found(text, /npm run (?:-s )?([\w:-]+)/g), ...found(text, /npm (test)\b/g)];
    for (const name of names) expect(Object.keys(scripts)).toContain(name);
  });

  it("names config keys that exist", () => {
    const set = found(text, /config (?:set|rm) (?:--path )?'?(\w+)/g);
    for (const key of [...set, ...found(text, /ollama-stack:(\w+)/g)])
      expect(Object.keys(configKeys())).toContain(key);
  });

  it("names scripts/run.mjs commands that exist", () => {
    for (const name of found(text, /scripts\/run\.mjs (\w+)/g))
      expect(existsSync(`scripts/commands/${name}.ts`), name).toBe(true);
  });
});
