import { type Attack, forEachConcurrently, range, type Scenario } from "../scenario.ts";
import { codeOf, type Reply, summarize, type Target } from "../target.ts";
import {
  schemaRequests,
  hostileSchemaCount,
  hostileSchema,
  hostileSchemaNumber,
  randomObjectSchema,
  rootReferences,
  unusableSchemas,
} from "./json-schemas.ts";

const CONCURRENCY = 6;

// A schema may be accepted or rejected. A model without tools also returns 400.
const allowedStatuses = [200, 400];

/** Sends a schema to a route as an SDK does. Anything but 200 and 400 is a problem, even if a retry succeeds. */
async function sendSchema(
  { countTries, reportProblem }: Attack,
  target: Target,
  { path, body }: { readonly path: string; readonly body: object },
): Promise<Reply | undefined> {
  const replies = await target.sendWithRetries(() => target.send(path, { body }));
  countTries(replies.length);
  const bad = replies.find(({ status }) => !allowedStatuses.includes(status));
  const schema = JSON.stringify(body).slice(-240);
  if (bad !== undefined) reportProblem(`${path}: ${summarize(bad)}, for a body that ends in ${schema}`);
  return replies.at(-1);
}

// Each has crashed the Ollama server itself, not only a model runner.
const fatalTemplates = [
  "{{range 2000000000}}x{{end}}",
  `{{ .Prompt ${"| js ".repeat(40)}}}`,
  `{{ $a := print .Prompt .Prompt }}${"{{ $a = print $a $a }}".repeat(40)}{{ $a }}`,
  `{{ json ${"(json ".repeat(40)}.Prompt${")".repeat(40)} }}`,
  "{{ .Prompt }}".repeat(5000),
];

export const schemas: readonly Scenario[] = [
  {
    section: 1,
    name: "patterns and bounds that crash the grammar converter, on every route that accepts a schema",
    expected: "200 or 400, model runners keep running",
    run: async (attack) => {
      const { edge, random, round } = attack;
      const perRound = 60;
      await forEachConcurrently(range(perRound), CONCURRENCY, async (index) => {
        const schema = hostileSchemaNumber(round * perRound + index, random);
        const all = schemaRequests(edge.model, schema);
        const request = all[(round + index) % all.length];
        if (request !== undefined) await sendSchema(attack, edge, request);
      });
    },
  },
  {
    section: 1,
    name: `one of ${hostileSchemaCount} hostile schemas on all routes at once`,
    expected: "200 or 400, model runners keep running",
    run: async (attack) => {
      const schema = hostileSchema(attack.random);
      await forEachConcurrently(schemaRequests(attack.edge.model, schema), 12, async (request) => {
        await sendSchema(attack, attack.edge, request);
      });
    },
  },
  {
    section: 1,
    name: "random schemas from all keywords of JSON Schema 2020-12",
    expected: "200 or 400, model runners keep running",
    run: async (attack) => {
      await forEachConcurrently(range(80), CONCURRENCY, async () => {
        const schema = randomObjectSchema(attack.random);
        await sendSchema(attack, attack.edge, attack.random.pick(schemaRequests(attack.edge.model, schema)));
      });
    },
  },
  {
    section: 1,
    name: "meaningless schemas: unknown types, dangling references, infinite recursion",
    expected: "400 that names the field",
    run: async (attack) => {
      const { direct, reportProblem } = attack;
      for (const [kind, schema] of Object.entries(unusableSchemas)) {
        await forEachConcurrently(schemaRequests(direct.model, schema), CONCURRENCY, async (request) => {
          const reply = await sendSchema(attack, direct, request);
          if (reply === undefined) return;
          if (reply.status !== 400) reportProblem(`${kind} on ${request.path}: ${summarize(reply)}`);
          else if (!/schema|format|parameters|tools|text|output/.test(reply.text))
            reportProblem(
              `${kind} on ${request.path} is rejected without naming the field: ${summarize(reply)}`,
            );
        });
      }
    },
  },
  {
    section: 1,
    name: "templates that exhaust the memory of the Ollama server",
    expected: "400 that names the template",
    run: async ({ direct, countTries, reportProblem }) => {
      for (const template of fatalTemplates) {
        const body = { model: direct.model, prompt: "\\".repeat(50_000), template, stream: false };
        const reply = await direct.send("/api/generate", { body });
        countTries();
        if (reply.status !== 400 || !reply.text.includes("template"))
          reportProblem(`${template.slice(0, 60)}: ${summarize(reply)}`);
      }
    },
  },
  {
    section: 1,
    name: "references to a schema's own root, in response formats and forced tools",
    expected: "200",
    run: async (attack) => {
      const { direct, reportProblem } = attack;
      await forEachConcurrently(
        schemaRequests(direct.model, rootReferences),
        CONCURRENCY,
        async (request) => {
          const reply = await sendSchema(attack, direct, request);
          const isToolless = reply?.text.includes("does not support tools") === true;
          if (reply !== undefined && reply.status !== 200 && !isToolless)
            reportProblem(`${request.path}: ${summarize(reply)}`);
        },
      );
    },
  },
  {
    section: 1,
    name: "repeated hostile schemas from one client while another client sends requests",
    expected: "the other client gets no 503",
    run: async ({ direct, random, countTries, reportProblem }) => {
      const schema = hostileSchema(random);
      const [request] = schemaRequests(direct.model, schema);
      if (request === undefined) return;
      const attacker = forEachConcurrently(range(12), 4, async () => {
        const replies = await direct.sendWithRetries(() => direct.send(request.path, { body: request.body }));
        countTries(replies.length);
      });
      const others = forEachConcurrently(range(12), 2, async () => {
        const reply = await direct.chat({}, { key: "bystander" });
        countTries();
        if (reply.status !== 200)
          reportProblem(`another client got ${codeOf(reply) ?? ""} ${summarize(reply)}`);
      });
      await Promise.all([attacker, others]);
    },
  },
];
