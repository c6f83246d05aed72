import { clusterInterruptions, clusterKinds, clusterName } from "./cluster-steps.ts";
import { type Found, imageType, resourceOf, type Step } from "./steps.ts";

// What a reader knows of; commands that wait or tidy up are means.
const kinds: Readonly<Record<string, string>> = {
  "docker:index/container:Container": "container",
  "docker:index/network:Network": "network",
  [imageType]: "image",
  "docker:index/volume:Volume": "volume",
  ...clusterKinds,
};
const PULL = /^model-(.+)-pull$/;

// What the program says besides warnings.
const DOWNLOAD = /^(Model |The models need )/;
const CHOICE = /^(gpus is auto|The model )/;

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
  readonly service: Service | undefined;
}

/** What a container is one of. */
type Service = "gateway" | "ollama" | "edge";
const CONTAINER = /^(gateway|ollama|edge)(?:-\d+)?-container$/;

/**
 * What a preview found, in words and as Markdown: what is created, changed in place, replaced and deleted, whom that
 * interrupts, and what will be downloaded: the models, and the `images` of which a line says so.
 */
export function describePreview(
  { steps, diagnostics }: Found,
  stack: string,
  images: readonly string[] = [],
): string {
  const told = tell(steps);
  const whom = clusterInterruptions(steps) ?? interruptions(told, staying(steps));
  const lines = [heading(stack), "", ...whom, ""];
  const list = (title: string, entries: readonly string[]) => {
    if (entries.length > 0) lines.push(title, "", ...entries.map((text) => `- ${text}`), "");
  };
  if (told.length === 0) lines.push("Nothing changes.", "");
  for (const change of changes) {
    const own = told.filter((each) => each.change === change);
    if (own.length === 0) continue;
    lines.push(`It **${change}**:`, "", ...own.map(line), "");
  }
  const said = diagnostics.map(({ message, severity }) => ({
    text: message.trim().replace(/^warning: /, ""),
    severity,
  }));
  const models = said.flatMap(({ text }) => (DOWNLOAD.test(text) ? [text] : []));
  list("What is downloaded:", [...models, ...images]);
  list(
    "What to know:",
    said.flatMap(({ text, severity }) =>
      !DOWNLOAD.test(text) && (severity === "warning" || CHOICE.test(text)) ? [text] : [],
    ),
  );
  return lines.join("\n").trimEnd();
}

/** What stands above all that is said of a stack. */
export function heading(stack: string): string {
  return `### Preview of the stack \`${stack}\``;
}

function tell(steps: readonly Step[]): Told[] {
  const told = new Map<string, Told>();
  for (const step of steps) {
    const { op, urn, replaceReasons, diffReasons, detailedDiff, newState, oldState } = step;
    const change = changeOf[op];
    const { type, name } = resourceOf(step);
    const model = PULL.exec(name)?.[1];
    const kind = model === undefined ? kinds[type] : "model";
    if (change === undefined || kind === undefined) continue;
    // The provider of clusters tells paths only.
    const paths = type in clusterKinds ? Object.keys(detailedDiff ?? {}) : [];
    const reasons = replaceReasons ?? diffReasons ?? paths;
    const because = new Set([...(told.get(urn)?.because ?? []), ...reasons]);
    const inputs = (newState ?? oldState)?.inputs;
    const given = inputs?.["name"] ?? clusterName(inputs);
    told.set(urn, {
      what: `${kind} \`${model ?? (typeof given === "string" ? given : name)}\``,
      change,
      because: [...because],
      service: CONTAINER.exec(name)?.[1] as Service | undefined,
    });
  }
  return [...told.values()];
}

function line({ what, change, because }: Told): string {
  const why = because.length === 0 || change === "creates" ? "" : `, because of ${because.join(", ")}`;
  return `- ${what}${why}`;
}

/** How many containers of each service there are before and after, so that one can answer while another is replaced. */
function staying(steps: readonly Step[]): Readonly<Record<Service, number>> {
  const names = { gateway: new Set<string>(), ollama: new Set<string>(), edge: new Set<string>() };
  for (const { op, urn } of steps) {
    const service = CONTAINER.exec(urn.split("::").at(-1) ?? "")?.[1] as Service | undefined;
    if (service !== undefined && op !== "create" && op !== "delete") names[service].add(urn);
  }
  return { gateway: names.gateway.size, ollama: names.ollama.size, edge: names.edge.size };
}

/** Whom it interrupts, one line each. */
function interruptions(told: readonly Told[], stay: Readonly<Record<Service, number>>): string[] {
  const count = (service: Service, change: Change) =>
    told.filter((each) => each.service === service && each.change === change).length;
  const lines: string[] = [];
  const rolls: string[] = [];
  if (count("edge", "replaces") > 0)
    lines.push(
      "**Interrupts**: the edge is away for some seconds while its container is replaced; answers under way are cut.",
    );
  if (count("edge", "deletes") > 0 && stay.gateway > 0)
    lines.push(
      "**Interrupts**: the edge goes before the gateway has its port; answers under way are cut, and nobody is served for some seconds.",
    );
  // Who stays is in front of it only if an edge was there before.
  if (count("gateway", "replaces") > 0 && stay.gateway > 1 && stay.edge > 0)
    rolls.push(`the ${String(stay.gateway)} gateways`);
  else if (count("gateway", "replaces") > 0 && stay.edge > 0)
    lines.push(
      "**Interrupts**: the gateway is away for some seconds while its container is replaced; it finishes its requests first, and new ones wait at the edge.",
    );
  else if (count("gateway", "replaces") > 0)
    lines.push(
      "**Interrupts**: the gateway is away for some seconds while its container is replaced; it finishes its requests first.",
    );
  if (count("ollama", "replaces") > 0 && stay.ollama > 1)
    rolls.push(`the ${String(stay.ollama)} Ollama servers`);
  else if (count("ollama", "replaces") > 0)
    lines.push(
      "**Interrupts**: Ollama is away for some seconds while its container is replaced; answers under way are cut, and models are loaded again.",
    );
  if (
    ["gateway", "ollama"].some(
      (service) => stay[service as Service] === 0 && count(service as Service, "deletes") > 0,
    )
  )
    lines.push("**Ends** the service.");
  if (rolls.length > 0)
    lines.push(
      `${lines.length === 0 ? "Interrupts nobody: " : "Besides, "}${rolls.join(" and ")} are replaced one after the other, each when its requests have ended.`,
    );
  return lines.length === 0 ? ["Interrupts nobody."] : lines;
}
