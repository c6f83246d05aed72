import { z } from "zod";

const state = z.object({ inputs: z.record(z.string(), z.unknown()).nullish() }).nullish();
const step = z.object({
  op: z.string(),
  urn: z.string(),
  replaceReasons: z.array(z.string()).nullish(),
  diffReasons: z.array(z.string()).nullish(),
  newState: state,
  oldState: state,
});
const preview = z.object({
  steps: z.array(step).nullish(),
  diagnostics: z.array(z.object({ message: z.string(), severity: z.string() })).nullish(),
});
type Step = z.output<typeof step>;

// What a reader knows of; commands that wait or tidy up are means.
const kinds: Readonly<Record<string, string>> = {
  "docker:index/container:Container": "container",
  "docker:index/network:Network": "network",
  "docker:index/remoteImage:RemoteImage": "image",
  "docker:index/volume:Volume": "volume",
};
const PULL = /^model-(.+)-pull$/;

type Change = "creates" | "changes in place" | "replaces" | "deletes";
const changes: readonly Change[] = ["creates", "changes in place", "replaces", "deletes"];

const changeOf: Readonly<Record<string, Change>> = {
  create: "creates",
  update: "changes in place",
  replace: "replaces",
  "create-replacement": "replaces",
  "delete-replaced": "replaces",
  delete: "deletes",
};

interface Told {
  /** Kind and name, such as "container ollama-stack-dev-gateway". */
  readonly what: string;
  readonly change: Change;
  /** The inputs that differ. */
  readonly because: readonly string[];
  readonly container: "gateway" | "ollama" | undefined;
}

/**
 * What `pulumi preview --json` printed, in words and as Markdown: what is created, changed in place, replaced and
 * deleted, whom that interrupts, and what will be downloaded.
 */
export function describePreview(json: string, stack: string): string {
  const { steps, diagnostics } = preview.parse(JSON.parse(json.slice(json.indexOf("{"))));
  const told = tell(steps ?? []);
  const lines = [`### Preview of the stack \`${stack}\``, "", ...interruptions(told), ""];
  if (told.length === 0) lines.push("Nothing changes.");
  for (const change of changes) {
    const own = told.filter((each) => each.change === change);
    if (own.length === 0) continue;
    lines.push(`It **${change}**:`, "", ...own.map(line), "");
  }
  const downloads = (diagnostics ?? [])
    .map(({ message }) => message.trim())
    .filter((message) => /^(Model |The models take )/.test(message));
  if (downloads.length > 0)
    lines.push("What is downloaded:", "", ...downloads.map((each) => `- ${each}`), "");
  return lines.join("\n").trimEnd();
}

function tell(steps: readonly Step[]): Told[] {
  const told = new Map<string, Told>();
  for (const { op, urn, replaceReasons, diffReasons, newState, oldState } of steps) {
    const change = changeOf[op];
    const [, path = "", name = ""] = /^urn:pulumi:[^:]*::[^:]*::(.*)::(.*)$/.exec(urn) ?? [];
    const type = path.split("$").at(-1) ?? "";
    const model = PULL.exec(name)?.[1];
    const kind = model === undefined ? kinds[type] : "model";
    if (change === undefined || kind === undefined) continue;
    const because = new Set([...(told.get(urn)?.because ?? []), ...(replaceReasons ?? diffReasons ?? [])]);
    const given = (newState ?? oldState)?.inputs?.["name"];
    told.set(urn, {
      what: `${kind} \`${model ?? (typeof given === "string" ? given : name)}\``,
      change,
      because: [...because],
      container:
        name === "gateway-container" ? "gateway" : name === "ollama-container" ? "ollama" : undefined,
    });
  }
  return [...told.values()];
}

function line({ what, change, because }: Told): string {
  const why = because.length === 0 || change === "creates" ? "" : `, because of ${because.join(", ")}`;
  return `- ${what}${why}`;
}

/** Whom it interrupts, one line each. */
function interruptions(told: readonly Told[]): string[] {
  const away = (which: Told["container"], change: Change) =>
    told.some((each) => each.container === which && each.change === change);
  const lines: string[] = [];
  if (away("gateway", "replaces"))
    lines.push(
      "**Interrupts**: the gateway is away for some seconds while its container is replaced; it finishes its requests first.",
    );
  if (away("ollama", "replaces"))
    lines.push(
      "**Interrupts**: Ollama is away for some seconds while its container is replaced; answers under way are cut, and models are loaded again.",
    );
  if (away("gateway", "deletes") || away("ollama", "deletes")) lines.push("**Ends** the service.");
  return lines.length === 0 ? ["Interrupts nobody."] : lines;
}
