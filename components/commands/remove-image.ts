// Run by Pulumi to delete an image that it built. The provider's own delete fails when the image is in use, and after
// an update that failed and was taken back it is: the old image and the new one are then the same.
import { docker } from "../../engine/docker-cli.ts";
import { required } from "./lib/env.ts";

const image = required("IMAGE");
try {
  await docker(["image", "rm", image]);
  console.log(`${image} is removed`);
} catch (error) {
  const why = error instanceof Error ? error.message : String(error);
  // Of a stack whose name Docker does not take, no image could be built.
  if (/no such image|invalid reference format/i.test(why)) console.log(`${image} was not there`);
  else if (/conflict/i.test(why)) console.log(`${image} stays: a container uses it`);
  else {
    console.error(why);
    process.exitCode = 1;
  }
}
