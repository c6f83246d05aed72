import * as command from "@pulumi/command";
import * as pulumi from "@pulumi/pulumi";

/** A secret that a script generates once, when the stack is created. */
export function madeSecret(
  name: string,
  script: string,
  opts: pulumi.CustomResourceOptions = {},
): pulumi.Output<string> {
  const made = new command.local.Command(
    name,
    {
      create: `node components/commands/${script}`,
      // By default, the update would print the secret.
      logging: command.types.enums.local.Logging.Stderr,
      addPreviousOutputInEnv: false,
    },
    {
      ...opts,
      additionalSecretOutputs: ["stdout"],
      // A changed input would regenerate the secret, also in stacks deployed by a version without this option.
      ignoreChanges: ["logging"],
    },
  );
  return pulumi.secret(made.stdout.apply((text) => text.trim()));
}
