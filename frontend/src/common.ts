/** What every module shares: the widget model's face, the root element, undo keys. */

/** The part of an anywidget model that the modules use. */
export interface Model {
  get(name: string): unknown;
  set(name: string, value: unknown): void;
  save_changes(): void;
  send(content: unknown): void;
  on(event: string, callback: (...args: any[]) => void): void;
  off(event: string, callback: (...args: any[]) => void): void;
  readonly widget_manager: { get_model(id: string): Promise<unknown> };
}

export interface RenderContext {
  model: Model;
  el: HTMLElement;
}

/** Undo everything that was set up through it, in reverse order. */
export class Disposer {
  private readonly undo: (() => void)[] = [];

  add(callback: () => void): void {
    this.undo.push(callback);
  }

  /** Listen to a DOM event until disposed. */
  listen<K extends keyof HTMLElementEventMap>(
    target: HTMLElement | Document | Window,
    type: K,
    callback: (event: HTMLElementEventMap[K]) => void,
    options?: AddEventListenerOptions | boolean,
  ): void {
    target.addEventListener(type, callback as EventListener, options);
    this.add(() => target.removeEventListener(type, callback as EventListener, options));
  }

  /** Listen to a model event until disposed. */
  observe(model: Model, event: string, callback: (...args: any[]) => void): void {
    model.on(event, callback);
    this.add(() => model.off(event, callback));
  }

  dispose(): void {
    while (this.undo.length) this.undo.pop()!();
  }
}

/** The module's own root element inside `el`; removed again on dispose. */
export function makeRoot(el: HTMLElement, part: string, disposer: Disposer): HTMLElement {
  const root = document.createElement("div");
  root.className = `margin-widgets mw-part ${part}`;
  // JupyterLab leaves keys alone below an element that carries this attribute, but takes those of
  // commands that it binds to whatever has the focus (arrow keys): that must carry it too.
  root.dataset.lmSuppressShortcuts = "true";
  disposer.listen(root, "focusin", (event) => {
    (event.target as HTMLElement).dataset.lmSuppressShortcuts = "true";
  });
  el.append(root);
  disposer.add(() => root.remove());
  return root;
}

/**
 * An id for an element that others refer to. Each widget loads a copy of its module of its own, so
 * that counting would give the same id to parts of two of them.
 */
export function freshId(prefix: string): string {
  return `${prefix}-${Math.random().toString(36).slice(2, 10)}`;
}

/** Create an element with a class and, optionally, text. */
export function make<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  className = "",
  text?: string,
): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag);
  if (className) element.className = className;
  if (text !== undefined) element.textContent = text;
  if (element instanceof HTMLButtonElement) element.type = "button";
  return element;
}

/** The focused element as seen from `root`, shadow roots included. */
export function focusedIn(root: HTMLElement): HTMLElement | null {
  const scope = root.getRootNode() as Document | ShadowRoot;
  const active = scope.activeElement as HTMLElement | null;
  return active && root.contains(active) ? active : null;
}

/** Does typing into this element edit text? */
export function isTextField(target: EventTarget | null): boolean {
  if (target instanceof HTMLTextAreaElement) return true;
  return (
    target instanceof HTMLInputElement &&
    !["range", "checkbox", "radio", "button", "submit"].includes(target.type)
  );
}

/** "undo" or "redo" when the key event asks for it. */
export function historyKey(event: KeyboardEvent): "undo" | "redo" | null {
  if (!(event.ctrlKey || event.metaKey) || event.altKey) return null;
  const key = event.key.toLowerCase();
  if (key === "z") return event.shiftKey ? "redo" : "undo";
  return key === "y" && !event.shiftKey ? "redo" : null;
}

/** Send undo and redo for the usual keys pressed inside `root`, except in a text field. */
export function sendHistoryKeys(root: HTMLElement, model: Model, disposer: Disposer): void {
  disposer.listen(root, "keydown", (event) => {
    const type = historyKey(event);
    if (!type || event.defaultPrevented || isTextField(event.target)) return;
    event.preventDefault();
    event.stopPropagation();
    model.send({ type });
  });
}
