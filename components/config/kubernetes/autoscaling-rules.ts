import type { Rule } from "../rule.ts";

/** Either the config or an autoscaler sets the number of Ollama pods. */
export const autoscalingRules: readonly Rule[] = [
  {
    breaks: ({ autoscaling, ollamaReplicas }) => autoscaling !== "none" && ollamaReplicas !== 1,
    path: "ollamaReplicas",
    message: "1 while autoscaling is on: ollamaMinReplicas and ollamaMaxReplicas bound the number of pods",
  },
  {
    breaks: ({ autoscaling, ollamaMinReplicas }) => autoscaling === "none" && ollamaMinReplicas !== 1,
    path: "ollamaMinReplicas",
    message: "1 while autoscaling is none: ollamaReplicas sets the number of pods",
  },
  {
    breaks: ({ autoscaling, ollamaMaxReplicas }) => autoscaling === "none" && ollamaMaxReplicas !== 4,
    path: "ollamaMaxReplicas",
    message: "4, its default, while autoscaling is none: ollamaReplicas sets the number of pods",
  },
  {
    breaks: ({ autoscaling, ollamaMinReplicas }) => autoscaling === "hpa" && ollamaMinReplicas === 0,
    path: "ollamaMinReplicas",
    message: "1 or more while autoscaling is hpa: only keda scales to zero",
  },
  {
    breaks: ({ autoscaling, ollamaMinReplicas, ollamaMaxReplicas }) =>
      autoscaling !== "none" && ollamaMaxReplicas < ollamaMinReplicas,
    path: "ollamaMaxReplicas",
    message: "ollamaMinReplicas or more",
  },
];
