import { existsSync, readdirSync, readFileSync } from "node:fs";
import { basename, dirname, join, normalize, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { describe, expect, it } from "vitest";
import { isCommand, parseCommandLine } from "../../../scripts/cli/command-line.mjs";
import { stackCommands } from "../../../scripts/cli/stack-commands.mjs";
import { configSchema } from "../../../components/config/config.ts";
import {
  configGroups,
  configKeys,
  dashboardFile,
  generated,
  type GeneratedFile,
  updated,
  updatedDashboard,
} from "../../../scripts/commands/docs.ts";

const documents: Readonly<Record<string, string>> = Object.fromEntries(
  [
    "README.md",
    "CONTRIBUTING.md",
    "attack/README.md",
    "gateway/README.md",
    "bench/README.md",
    "test-support/README.md",
    "toolchain/README.md",
    ...readdirSync("docs", { recursive: true, encoding: "utf8" })
      .filter((file) => file.endsWith(".md"))
      .map((file) => `docs/${file}`),
  ].map((file) => [file, readFileSync(file, "utf8")]),
);

function read(file: string): string {
  return documents[file] ?? readFileSync(file, "utf8");
}

function matches(text: string, pattern: RegExp): string[] {
  return [...text.matchAll(pattern)].map(([, name = ""]) => name);
}

/** All matches of a pattern in the documents; at least a minimum, because a pattern without matches tests nothing. */
function mentions(pattern: RegExp, atLeast: number): { file: string; name: string }[] {
  const all = Object.entries(documents).flatMap(([file, text]) =>
    matches(text, pattern).map((name) => ({ file, name })),
  );
  expect(all.length).toBeGreaterThanOrEqual(atLeast);
  return all;
}

function unknownNames(
  isKnown: (name: string) => boolean,
  all: readonly { file: string; name: string }[],
): string[] {
  return all.filter(({ name }) => !isKnown(name)).map(({ file, name }) => `${file}: ${name}`);
}

describe("the documentation", () => {
  it.each(Object.keys(generated) as GeneratedFile[])(
    "%s is up to date; if not: npm run docs",
    async (file) => {
      expect(read(file)).toBe(await updated(file, read(file)));
    },
  );

  it(`${dashboardFile} is up to date; if not: npm run docs`, async () => {
    const text = readFileSync(dashboardFile, "utf8");
    expect(text).toBe(await updatedDashboard());
    // Ids differ between Grafana instances.
    expect(text.match(/"uid": ".*"/g)?.filter((uid) => !/\$\{datasource\}|"ollama-stack"/.test(uid))).toEqual(
      [],
    );
    expect(text).not.toContain('"id":');
  });

  it("lists every document in its index, docs/README.md", () => {
    const linked = new Set(matches(read("docs/README.md"), /\]\(([\w-]+\.md)/g));
    const others = readdirSync("docs").filter((file) => file.endsWith(".md") && file !== "README.md");
    expect(others.filter((file) => !linked.has(file))).toEqual([]);
  });

  it("links only to existing files and headings", () => {
    const links = mentions(/\]\(((?!https:)[^) ]+)/g, 100);
    const broken = links.filter(({ file, name }) => {
      const [path = "", heading] = name.split("#");
      const target = path === "" ? file : normalize(join(dirname(file), path));
      return !existsSync(target) || (heading !== undefined && !headings(target).includes(heading));
    });
    expect(broken).toEqual([]);
  });

  it("mentions only npm scripts that package.json has", () => {
    const { scripts } = JSON.parse(readFileSync("package.json", "utf8")) as { scripts: object };
    const named = mentions(/npm run (?:-s )?([\w-]+(?::\w+)*)/g, 50);
    expect(unknownNames((name) => name in scripts, named)).toEqual([]);
  });

  it("calls npm scripts only with valid options", () => {
    const calls = mentions(/npm run (?:-s )?([\w-]+ -- [^`#\n|]*[^`#\n|\s.:,;])/g, 40);
    const isRejected = (call: string) => {
      const [name = "", , ...args] = call
        .replaceAll("'", "")
        .replace(/ \d?>.*/, "")
        .split(/ +/);
      try {
        if (isCommand(name)) parseCommandLine(name, args, {});
        return false;
      } catch {
        return true;
      }
    };
    expect(unknownNames((call) => !isRejected(call), calls)).toEqual([]);
  });

  it("names the backend in every login, because the default is the project's own state folder", () => {
    const logins = mentions(/pulumi (?:-- )?login( [^`#\n]*)?/g, 2);
    expect(logins.filter(({ name }) => !/^ (?:\S+:\/\/\S+|URL)$/.test(name))).toEqual([]);
  });

  it("mentions only existing config keys", () => {
    const set = mentions(/config (?:set|rm) (?:--\w+ (?:\w+ )?)*'?(\w+)/g, 20);
    const inFiles = mentions(/ollama-stack:(\w+):/g, 1);
    expect(unknownNames((name) => name in configKeys(), [...set, ...inFiles])).toEqual([]);
  });

  it("mentions only existing source files", () => {
    const named = mentions(/`((?:[\w.-]+\/)+[\w.-]+\.(?:ts|mjs|json|yml))`/g, 15);
    const exists = (file: string, name: string) => existsSync(name) || existsSync(join(dirname(file), name));
    expect(named.filter(({ file, name }) => !exists(file, name))).toEqual([]);
  });
});

/** The anchors that GitHub generates for a document's headings. */
function headings(file: string): string[] {
  return matches(read(file), /^#+ (.+)$/gm).map((title) =>
    title
      .toLowerCase()
      .replaceAll(/[^\w\s-]/g, "")
      .replaceAll(/\s/g, "-"),
  );
}

describe("docs/architecture.md", () => {
  it("describes each room that has import rules", async () => {
    const { default: rules } = (await import(pathToFileURL(resolve(".dependency-cruiser.mjs")).href)) as {
      default: { forbidden: { name: string }[] };
    };
    const rooms = rules.forbidden.flatMap(({ name }) => /^room (.+)$/.exec(name)?.[1] ?? []);
    expect(rooms.length).toBeGreaterThan(30);
    const text = read("docs/architecture.md");
    const described = (room: string) =>
      text.includes(`\`${basename(room)}${/\.\w+$/.test(room) ? "" : "/"}\``);
    expect(rooms.filter((room) => !described(room))).toEqual([]);
  });
});

describe("docs/operations.md", () => {
  it("lists every command for stacks", () => {
    const listed = new Set(matches(read("docs/operations.md"), /^\| `npm run ([\w-]+)/gm));
    expect(Object.keys(stackCommands).filter((name) => !listed.has(name))).toEqual([]);
  });
});

describe("toolchain/README.md", () => {
  it("lists every module that it builds", () => {
    const rows = matches(read("toolchain/README.md"), /^(\|.*)$/gm).join("\n");
    const modules = readdirSync("toolchain/go");
    expect(modules.length).toBeGreaterThan(15);
    expect(modules.filter((name) => !rows.includes(`\`go/${name}\``))).toEqual([]);
  });
});

describe("docs/troubleshooting.md", () => {
  it("quotes only messages that the code contains", () => {
    const messages = matches(read("docs/troubleshooting.md"), /^\| `([^`]+)`/gm);
    expect(messages.length).toBeGreaterThan(30);
    const code = ["components", "engine", "host", "scripts", "toolchain", "gateway/src"]
      .flatMap(sources)
      .join("\n");
    const missing = messages
      .flatMap((message) => message.split("…"))
      .map((fragment) => fragment.trim())
      .filter((fragment) => fragment.length > 3 && !code.includes(fragment));
    expect(missing).toEqual([]);
  });
});

function sources(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: "utf8" })
    .filter((name) => /\.(ts|mjs|cjs)$/.test(name) && !name.includes("node_modules"))
    .map((name) => readFileSync(join(folder, name), "utf8"));
}

describe("docs/gateway-comparison.md", () => {
  it("links each yes of this gateway to an existing test", () => {
    const rows = matches(read("docs/gateway-comparison.md"), /^\| [^|]+ \| (yes: [^|]+) \|/gm);
    expect(rows.length).toBeGreaterThan(20);
    const wrong = rows.filter((cell) => {
      const [, name, link = "", title = ""] = /^yes: \[`(.+?)`\]\((\S+) "([^"]+)"\)/.exec(cell) ?? [];
      const file = normalize(join("docs", link));
      return file !== `tests/${name}.test.ts` || !readFileSync(file, "utf8").includes(`"${title}`);
    });
    expect(wrong).toEqual([]);
  });
});

describe("docs/security.md", () => {
  it("links each threat to an existing test", () => {
    const tables = read("docs/security.md").split("| threat | what is done about it | test |\n").slice(1);
    const rows = tables.flatMap((table) => table.split("\n\n", 1)[0]?.split("\n").slice(1) ?? []);
    expect(rows.length).toBeGreaterThan(25);
    const wrong = rows.filter((row) => {
      const links = [...(row.split(" | ")[2] ?? "").matchAll(/\[`(.+?)`\]\((\S+?)(?: "([^"]+)")?\)/g)];
      const isTest = ([, name = "", link = "", title = ""]: RegExpExecArray) => {
        const file = normalize(join("docs", link));
        return (
          /^tests\/.*\.test\.ts$/.test(file) &&
          file.endsWith(`/${name}.test.ts`) &&
          readFileSync(file, "utf8").includes(title)
        );
      };
      return links.length === 0 || !links.every(isTest);
    });
    expect(wrong).toEqual([]);
  });
});

describe("config keys", () => {
  it("are the same in Pulumi.yaml and the schema", () => {
    expect(Object.keys(configKeys()).sort()).toEqual(Object.keys(configSchema.shape).sort());
  });

  it("each belong to one group of docs/configuration.md", () => {
    expect([...configGroups().values()].flat().sort()).toEqual(Object.keys(configKeys()).sort());
  });

  it("that stack files set exist", () => {
    const files = readdirSync(".").filter((file) => /^Pulumi\.\w+\.yaml$/.test(file));
    const keys = files.flatMap((file) => matches(readFileSync(file, "utf8"), /^\s+ollama-stack:(\w+):/gm));
    expect(keys.length).toBeGreaterThan(20);
    expect(keys.filter((key) => !(key in configKeys()))).toEqual([]);
  });
});
