// Models see pictures in a few hundred points; larger ones only cost time on the way.
const MAX_EDGE = 1536;

export const MAX_IMAGES = 4;

/** A picture as a data URL, no larger than a model sees it. */
export async function toDataUrl(file: Blob): Promise<string> {
  const bitmap = await createImageBitmap(file).catch(() => undefined);
  if (bitmap === undefined) throw new Error("This file is no picture that the browser can read.");
  const scale = Math.min(1, MAX_EDGE / Math.max(bitmap.width, bitmap.height));
  const canvas = document.createElement("canvas");
  canvas.width = Math.max(1, Math.round(bitmap.width * scale));
  canvas.height = Math.max(1, Math.round(bitmap.height * scale));
  const context = canvas.getContext("2d");
  if (context === null) throw new Error("The browser cannot draw pictures.");
  // JPEG has no transparency, and black text would vanish on black.
  context.fillStyle = "#fff";
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.drawImage(bitmap, 0, 0, canvas.width, canvas.height);
  bitmap.close();
  return canvas.toDataURL("image/jpeg", 0.9);
}

/** The pictures among what was dropped or pasted. */
export function imagesIn(files: Iterable<File>): File[] {
  return [...files].filter(({ type }) => type.startsWith("image/"));
}
