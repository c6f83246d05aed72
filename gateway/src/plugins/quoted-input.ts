const SHOWN_LENGTH = 100;

/** Shortens input of a client that an error message quotes. */
export function shorten(text: string): string {
  return text.length > SHOWN_LENGTH ? `${text.slice(0, SHOWN_LENGTH)}...` : text;
}
