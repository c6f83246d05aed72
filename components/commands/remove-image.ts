// Run by Pulumi to delete an image that it built. The provider's own delete fails if the image is in use, as it is after a
// failed update was reverted, when the old and the new image are the same.
import { docker } from "../../engine/docker-cli.ts";
import { requiredVariable } from "./lib/env.ts";

const image = requiredVariable("IMAGE");
try {
  await docker(["image", "rm", image]);
  console.log(`${image} is removed`);
} catch (error) {
  const why = error instanceof Error ? error.message : String(error);
  // Docker rejected the stack's name, so no image was built.
  if (/no such image|invalid reference format/i.test(why)) console.log(`${image} did not exist`);
  else if (/conflict/i.test(why)) console.log(`${image} stays: a container uses it`);
  else {
    console.error(why);
    process.exitCode = 1;
  }
}
