import type { ClusterAddress } from "./address.ts";

interface Explanation {
  readonly pattern: RegExp;
  /** What is wrong, and what to do. */
  readonly explain: (address: ClusterAddress, ...groups: string[]) => string;
}

const contexts = "kubectl config get-contexts lists them";
const other = "Check that the cluster runs and that the config keys kubeconfig and kubeContext name it.";

const explanations: readonly Explanation[] = [
  {
    pattern: /context "([^"]*)" does not exist|context was not found for specified context: (\S+)/,
    explain: ({ kubeconfig }, one = "", two = "") =>
      `kubeContext is ${one || two}, but ${kubeconfig || "the kubeconfig"} has no such context. Set it to one that exists: ${contexts}.`,
  },
  {
    pattern: /getting credentials: exec: executable (\S+) not found/,
    explain: ({ kubeconfig }, program = "") =>
      `${kubeconfig || "The kubeconfig"} logs in with the program ${program}, which is not on the path. Install it, or set kubeconfig to a file that logs in another way.`,
  },
  {
    pattern: /stat (\S+): no such file or directory/,
    explain: (_, file = "") =>
      `kubeconfig is ${file}, but there is no such file. Set it to the file that your cluster's tools wrote.`,
  },
  {
    pattern: /error loading config file "?([^":]+)"?: (.*)/,
    explain: (_, file = "", why = "") =>
      `The kubeconfig ${file} cannot be read: ${why}. Write it again with your cluster's tools.`,
  },
  {
    pattern: /server localhost:8080 was refused|invalid configuration: no configuration has been provided/,
    explain: () =>
      "No kubeconfig names a cluster. Set the config key kubeconfig to its file, or KUBECONFIG, or put it into ~/.kube/config.",
  },
  {
    pattern: /The connection to the server (\S+) was refused/,
    explain: (_, server = "") => `The cluster does not respond: nothing listens at ${server}. ${other}`,
  },
  {
    pattern: /listen tcp4? 127\.0\.0\.1:(\d+): bind: address already in use/,
    explain: (_, port = "") =>
      `Port ${port} of this machine is in use. End what listens there, perhaps an npm run forward or npm run open that still runs.`,
  },
  {
    pattern: /x509: (.*)/,
    explain: (_, why = "") =>
      `The cluster's certificate is not accepted: ${why}. Fetch the kubeconfig again with your cluster's tools.`,
  },
  {
    pattern: /Unable to connect to the server: (.*)/,
    explain: (_, why = "") => `The cluster does not respond: ${why}. ${other}`,
  },
  {
    pattern:
      /You must be logged in to the server|asked for the client to provide credentials|\(Unauthorized\)/,
    explain: () =>
      "The cluster does not accept the credentials of the kubeconfig. Log in again with your cluster's tools.",
  },
  {
    pattern: /\(Forbidden\): (.*)/,
    explain: (_, why = "") =>
      `The cluster does not allow it: ${why}. docs/kubernetes.md lists the rights that a stack needs.`,
  },
];

/** Explains why kubectl failed and, for known errors, what to do. */
export function explain(output: string, args: readonly string[], address: ClusterAddress): string {
  for (const { pattern, explain: sentence } of explanations) {
    const found = pattern.exec(output);
    if (found !== null) return sentence(address, ...found.slice(1));
  }
  // kubectl logs failures of API discovery before the error of the command.
  const message = output.split("\n").filter((line) => !/^[EIW]\d{4} /.test(line));
  return `kubectl ${args.slice(0, 2).join(" ")} failed: ${message.join("\n").trim()}`;
}
