/** Why options of `npm run up` and `npm run destroy` have no effect on a stack in a cluster, and what to do instead. */
const alternatives = {
  "update-models": (stack: string) =>
    `In a cluster, npm run pin -- --stack ${stack} sets the digests of moved models, which the next npm run up pulls`,
  disconnect: () => "In a cluster, there is no network of the stack to which others could be connected",
  models: (stack: string) =>
    `In a cluster, retainModels decides whether volumes are kept, and npm run purge -- --stack ${stack} removes kept ones`,
} as const;

type DockerOption = keyof typeof alternatives;

/** Fails if an option is set that only works for stacks on Docker. */
export function rejectDockerOptions(
  stack: string,
  options: Readonly<Partial<Record<DockerOption, unknown>>>,
): void {
  for (const [option, alternative] of Object.entries(alternatives))
    if (options[option as DockerOption] !== undefined)
      throw new Error(`--${option} is for stacks on Docker. ${alternative(stack)}`);
}
