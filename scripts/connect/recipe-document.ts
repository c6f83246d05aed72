import { type ClientRecipe, type Endpoint, recipes } from "./client-recipes.ts";

/** The recipes as a part of a document. */
export function recipeSections(endpoint: Endpoint): string {
  return recipes
    .map((recipe) => {
      const { title, place, language, lines } = recipe;
      const code = `\`\`\`${language}\n${lines(endpoint).join("\n")}\n\`\`\``;
      return `### ${title}\n\nIn ${place}:\n\n${code}${testedWith(recipe)}`;
    })
    .join("\n\n");
}

const KINDS = { program: "", npm: " (npm)", python: " (PyPI)" };

function testedWith({ tested = [] }: ClientRecipe): string {
  if (tested.length === 0) return "";
  const names = tested.map(({ name, version, kind }) => `\`${name}\` ${version}${KINDS[kind]}`);
  const last = names.pop() ?? "";
  return `\n\nTested with ${names.length === 0 ? last : `${names.join(", ")} and ${last}`}.`;
}
