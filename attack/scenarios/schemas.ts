import { type Attack, each, range, type Scenario } from "../scenario.ts";
import { codeOf, type Reply, short, type Target } from "../target.ts";
import {
  carriers,
  hostileKinds,
  hostileSchema,
  hostileSchemaNumber,
  randomObjectSchema,
  rootReferences,
  unusableSchemas,
} from "./json-schemas.ts";

const AT_ONCE = 6;

// A schema may be taken or refused. That the model does not know tools is 400, too.
const taken = [200, 400];

/** Sends a schema on a route as a client's library does; only a 200 or 400 will do, without a second try. */
async function sendSchema(
  { tried, found }: Attack,
  target: Target,
  { path, body }: { readonly path: string; readonly body: object },
): Promise<Reply | undefined> {
  const replies = await target.persistently(() => target.send(path, { body }));
  tried(replies.length);
  const bad = replies.find(({ status }) => !taken.includes(status));
  const schema = JSON.stringify(body).slice(-240);
  if (bad !== undefined) found(`${path}: ${short(bad)}, for a body that ends in ${schema}`);
  return replies.at(-1);
}

// Each has ended Ollama's server, in its own process and without the model.
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
    name: "patterns and bounds that the grammar converter dies of, on every route that takes a schema",
    expected: "200 or 400, model runners stay",
    run: async (attack) => {
      const { edge, random, round } = attack;
      const perRound = 60;
      await each(range(perRound), AT_ONCE, async (index) => {
        const schema = hostileSchemaNumber(round * perRound + index, random);
        const all = carriers(edge.model, schema);
        const carrier = all[(round + index) % all.length];
        if (carrier !== undefined) await sendSchema(attack, edge, carrier);
      });
    },
  },
  {
    section: 1,
    name: `one of ${hostileKinds} hostile schemas on all routes at once`,
    expected: "200 or 400, model runners stay",
    run: async (attack) => {
      const schema = hostileSchema(attack.random);
      await each(carriers(attack.edge.model, schema), 12, async (carrier) => {
        await sendSchema(attack, attack.edge, carrier);
      });
    },
  },
  {
    section: 1,
    name: "random schemas of all keywords of JSON Schema 2020-12",
    expected: "200 or 400, model runners stay",
    run: async (attack) => {
      await each(range(80), AT_ONCE, async () => {
        const schema = randomObjectSchema(attack.random);
        await sendSchema(attack, attack.edge, attack.random.pick(carriers(attack.edge.model, schema)));
      });
    },
  },
  {
    section: 1,
    name: "schemas that mean nothing: unknown types, references to nothing, endless recursion",
    expected: "400 that names the field",
    run: async (attack) => {
      const { direct, found } = attack;
      for (const [kind, schema] of Object.entries(unusableSchemas)) {
        await each(carriers(direct.model, schema), AT_ONCE, async (carrier) => {
          const reply = await sendSchema(attack, direct, carrier);
          if (reply === undefined) return;
          if (reply.status !== 400) found(`${kind} on ${carrier.path}: ${short(reply)}`);
          else if (!/schema|format|parameters|tools|text|output/.test(reply.text))
            found(`${kind} on ${carrier.path} is refused without a name of the field: ${short(reply)}`);
        });
      }
    },
  },
  {
    section: 1,
    name: "templates that fill the memory of Ollama's server",
    expected: "400 that names the template",
    run: async ({ direct, tried, found }) => {
      for (const template of fatalTemplates) {
        const body = { model: direct.model, prompt: "\\".repeat(50_000), template, stream: false };
        const reply = await direct.send("/api/generate", { body });
        tried();
        if (reply.status !== 400 || !reply.text.includes("template"))
          found(`${template.slice(0, 60)}: ${short(reply)}`);
      }
    },
  },
  {
    section: 1,
    name: "references into a schema's own root, for formats and for demanded tools",
    expected: "200",
    run: async (attack) => {
      const { direct, found } = attack;
      await each(carriers(direct.model, rootReferences), AT_ONCE, async (carrier) => {
        const reply = await sendSchema(attack, direct, carrier);
        const isToolless = reply?.text.includes("does not support tools") === true;
        if (reply !== undefined && reply.status !== 200 && !isToolless)
          found(`${carrier.path}: ${short(reply)}`);
      });
    },
  },
  {
    section: 1,
    name: "one client's hostile schema, again and again, beside another client",
    expected: "the other client gets no 503",
    run: async ({ direct, random, tried, found }) => {
      const schema = hostileSchema(random);
      const [carrier] = carriers(direct.model, schema);
      if (carrier === undefined) return;
      const attacker = each(range(12), 4, async () => {
        const replies = await direct.persistently(() => direct.send(carrier.path, { body: carrier.body }));
        tried(replies.length);
      });
      const others = each(range(12), 2, async () => {
        const reply = await direct.chat({}, { key: "bystander" });
        tried();
        if (reply.status !== 200) found(`another client got ${codeOf(reply) ?? ""} ${short(reply)}`);
      });
      await Promise.all([attacker, others]);
    },
  },
];
