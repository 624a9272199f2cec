/** Elements made from text, never from markup. */

export function element(
  tag: string,
  className: string,
  ...content: (Node | string)[]
): HTMLElement {
  const made = document.createElement(tag);
  if (className) {
    made.className = className;
  }
  made.append(...content);
  return made;
}

export function button(label: string, action: () => void, primary = false): HTMLElement {
  const made = element("button", primary ? "jp-mod-styled jp-mod-accept" : "jp-mod-styled", label);
  made.setAttribute("type", "button");
  made.addEventListener("click", action);
  return made;
}

/** A line above a dashboard that stays in view. */
export function bannerOf(role: string, text: string, ...buttons: HTMLElement[]): HTMLElement {
  const banner = element("div", "mwl-banner", element("span", "", text), ...buttons);
  banner.setAttribute("role", role);
  return banner;
}

/**
 * Give a chord that nothing in a dashboard took to JupyterLab's shortcuts, such as the one that
 * saves. Tables and sliders keep all keys from them, as most have a meaning of their own there.
 */
export function handOn(this: HTMLElement, event: KeyboardEvent): void {
  const chord = event.ctrlKey || event.metaKey || event.altKey;
  const kept = (event.target as Element).closest("[data-lm-suppress-shortcuts]");
  if (!event.isTrusted || event.defaultPrevented || !chord || !kept) {
    return;
  }
  const again = new KeyboardEvent("keydown", event);
  // JupyterLab still tells keys by their codes, which the constructor leaves out.
  Object.defineProperty(again, "keyCode", { value: event.keyCode });
  if (!this.dispatchEvent(again)) {
    event.preventDefault();
  }
}
