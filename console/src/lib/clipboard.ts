/** Copies a text; false where the browser does not let it. */
export async function copyText(text: string): Promise<boolean> {
  // Browsers have it on https and on this machine only.
  const clipboard = navigator.clipboard as Clipboard | undefined;
  if (clipboard !== undefined) {
    return await clipboard.writeText(text).then(
      () => true,
      () => false,
    );
  }
  const area = document.createElement("textarea");
  area.value = text;
  area.className = "off-screen";
  // A dialog makes everything outside of it inert.
  (document.querySelector("dialog[open]") ?? document.body).append(area);
  area.select();
  // eslint-disable-next-line @typescript-eslint/no-deprecated -- the only way on plain http
  const isCopied = document.execCommand("copy");
  area.remove();
  return isCopied;
}
