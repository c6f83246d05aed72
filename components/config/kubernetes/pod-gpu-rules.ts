import type { Rule } from "../rule.ts";

// A pod requests a number of GPUs; its node's device plugin chooses which ones.

const isAmd = (resource: string) => resource.startsWith("amd.com/");
const isForAmd = (image: string) => image.includes("rocm");

export const gpuRules: readonly Rule[] = [
  {
    breaks: ({ gpus }) => gpus !== "none" && gpus !== "all",
    path: "gpus",
    message:
      "none or all while engine is kubernetes: a pod requests a number of GPUs, which is gpusPerPod, and its node's device plugin chooses them",
  },
  {
    breaks: ({ gpus, gpusPerPod }) => gpus === "all" && gpusPerPod === 0,
    path: "gpusPerPod",
    message: "1 or more while gpus is all: how many GPUs each pod of Ollama requests",
  },
  {
    breaks: ({ gpus, gpusPerPod }) => gpus === "none" && gpusPerPod > 0,
    path: "gpusPerPod",
    message: "0 while gpus is none",
  },
  {
    breaks: ({ gpus, gpuGroups }) => gpus === "none" && gpuGroups.length > 0,
    path: "gpuGroups",
    message: "empty while gpus is none",
  },
  {
    breaks: ({ gpus, gpuResource, ollamaImage }) =>
      gpus === "all" && isAmd(gpuResource) && !isForAmd(ollamaImage),
    path: "ollamaImage",
    message:
      "an image for AMD's GPUs, with rocm in its name, while gpuResource is amd.com/gpu; such as ollama/ollama:0.17.4-rocm",
  },
  {
    breaks: ({ gpus, gpuResource, ollamaImage }) =>
      gpus === "all" && !isAmd(gpuResource) && isForAmd(ollamaImage),
    path: "gpuResource",
    message: "amd.com/gpu while gpus is all and ollamaImage is an image for AMD's GPUs",
  },
  {
    breaks: ({ gpus, ollamaEnvironment }) => gpus === "all" && "NVIDIA_VISIBLE_DEVICES" in ollamaEnvironment,
    path: "ollamaEnvironment",
    inside: "NVIDIA_VISIBLE_DEVICES",
    message: "left out while engine is kubernetes and gpus is all: the node's device plugin sets it",
    toRemove: true,
  },
];
