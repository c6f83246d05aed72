// Models scale images down to a few hundred pixels; larger ones only slow the upload.
const MAX_EDGE = 1536;

export const MAX_IMAGES = 4;

/** Converts an image to a data URL, scaled to what models can see. */
export async function toDataUrl(file: Blob): Promise<string> {
  const bitmap = await createImageBitmap(file).catch(() => undefined);
  if (bitmap === undefined) throw new Error("The browser cannot read this file as an image.");
  const scale = Math.min(1, MAX_EDGE / Math.max(bitmap.width, bitmap.height));
  const canvas = document.createElement("canvas");
  canvas.width = Math.max(1, Math.round(bitmap.width * scale));
  canvas.height = Math.max(1, Math.round(bitmap.height * scale));
  const context = canvas.getContext("2d");
  if (context === null) throw new Error("The browser cannot resize images.");
  // JPEG has no transparency; black text would vanish on black.
  context.fillStyle = "#fff";
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.drawImage(bitmap, 0, 0, canvas.width, canvas.height);
  bitmap.close();
  return canvas.toDataURL("image/jpeg", 0.9);
}

/** Selects the images among dropped or pasted files. */
export function imagesIn(files: Iterable<File>): File[] {
  return [...files].filter(({ type }) => type.startsWith("image/"));
}
