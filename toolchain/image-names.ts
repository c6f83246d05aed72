/** How the name of every image begins that is made here: the set-up sees to it that it means what it has made last. */
export const localImages = "ollama-stack/";
