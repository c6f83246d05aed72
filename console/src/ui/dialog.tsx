import type { ComponentChildren } from "preact";
import { useEffect, useId, useRef } from "preact/hooks";
import { Icon } from "./icons.tsx";

interface DialogProps {
  readonly title: string;
  readonly onClose: () => void;
  readonly children: ComponentChildren;
  /** A further class, such as of a panel at the side. */
  readonly kind?: string;
}

/** A dialog that is open as long as it is there. The browser keeps the focus in it and closes it with Escape. */
export function Dialog({ title, onClose, children, kind = "" }: DialogProps) {
  const element = useRef<HTMLDialogElement>(null);
  const id = useId();
  useEffect(() => {
    const dialog = element.current;
    dialog?.showModal();
    return () => {
      dialog?.close();
    };
  }, []);
  return (
    <dialog
      ref={element}
      class={kind}
      aria-labelledby={id}
      onClose={onClose}
      onClick={({ target }) => {
        // The dialog itself is only hit beside its content.
        if (target === element.current) onClose();
      }}
    >
      <div class="dialog-content">
        <div class="dialog-head">
          <h2 id={id}>{title}</h2>
          <button type="button" class="quiet icon-button" aria-label="Close" onClick={onClose}>
            <Icon name="close" />
          </button>
        </div>
        {children}
      </div>
    </dialog>
  );
}
