import * as command from "@pulumi/command";
import * as pulumi from "@pulumi/pulumi";

/** What a script prints when a stack is made, once and for all: a secret that nobody sees. */
export function madeSecret(
  name: string,
  script: string,
  opts: pulumi.CustomResourceOptions = {},
): pulumi.Output<string> {
  const made = new command.local.Command(
    name,
    {
      create: `node components/commands/${script}`,
      // By default, the output of the update shows what it prints.
      logging: command.types.enums.local.Logging.Stderr,
      addPreviousOutputInEnv: false,
    },
    {
      ...opts,
      additionalSecretOutputs: ["stdout"],
      // A changed input would run it again, also where an older version deployed it without this one.
      ignoreChanges: ["logging"],
    },
  );
  return pulumi.secret(made.stdout.apply((text) => text.trim()));
}
