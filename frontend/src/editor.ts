/** The control that stands in a cell while it is edited. */
import { make } from "./common";

export interface EditorOptions {
  text: string;
  choices: string[] | null;
  align: string;
  number: boolean;
  label: string;
  describedBy: string | null;
  onModified(): void;
  onChosen(): void;
}

export class CellEditor {
  readonly input: HTMLInputElement | HTMLSelectElement;
  modified = false;
  private byKey = false;

  constructor(
    readonly row: string,
    readonly field: string,
    readonly cell: HTMLElement,
    private readonly options: EditorOptions,
  ) {
    this.input = options.choices ? this.makeSelect(options.choices) : this.makeInput();
    this.input.classList.add("mw-editor");
    this.input.setAttribute("aria-label", options.label);
    if (options.describedBy) {
      this.input.setAttribute("aria-invalid", "true");
      this.input.setAttribute("aria-describedby", options.describedBy);
    }
    cell.classList.add("mw-editing");
    cell.replaceChildren(this.input);
  }

  private touched(): void {
    if (this.modified) return;
    this.modified = true;
    this.options.onModified();
  }

  private makeInput(): HTMLInputElement {
    const input = make("input");
    input.type = "text";
    input.autocomplete = "off";
    input.spellcheck = false;
    if (this.options.number) input.inputMode = "decimal";
    input.style.textAlign = this.options.align;
    input.value = this.options.text;
    input.addEventListener("input", () => this.touched());
    return input;
  }

  private makeSelect(choices: string[]): HTMLSelectElement {
    const select = make("select");
    const { text } = this.options;
    const all = choices.includes(text) ? choices : [text, ...choices];
    select.append(...all.map((choice) => new Option(choice, choice, false, choice === text)));
    // Arrow keys on a closed list change the value step by step: wait for Enter or Tab then.
    select.addEventListener("keydown", (event) => (this.byKey = event.key.startsWith("Arrow")));
    select.addEventListener("pointerdown", () => (this.byKey = false));
    select.addEventListener("change", () => {
      this.touched();
      if (!this.byKey) this.options.onChosen();
    });
    return select;
  }

  get text(): string {
    return this.input.value;
  }

  /** Show another text, unless the user has already typed. */
  offer(text: string): void {
    if (this.modified || this.input.value === text) return;
    this.input.value = text;
    if (this.input instanceof HTMLInputElement) this.input.select();
  }

  /**
   * Undo or redo what was typed; the browser's own undo does not arrive inside a widget. Returns
   * false when no typing is left to undo.
   */
  history(type: "undo" | "redo"): boolean {
    const { text } = this.options;
    if (!this.modified || (type === "undo" && this.text === text)) return false;
    if (this.input instanceof HTMLInputElement) document.execCommand(type);
    else if (type === "undo") this.input.value = text;
    return true;
  }

  /** Go on with a text that was typed in another cell's editor. */
  adopt(text: string): void {
    this.input.value = text;
    if (this.input instanceof HTMLInputElement) this.input.setSelectionRange(text.length, text.length);
    this.touched();
  }

  focus(openList: boolean): void {
    this.input.focus({ preventScroll: true });
    if (this.input instanceof HTMLInputElement) {
      this.input.select();
    } else if (openList) {
      try {
        this.input.showPicker();
      } catch {
        // Older browsers, or no user gesture: the closed list is as usable.
      }
    }
  }

  close(): void {
    this.cell.classList.remove("mw-editing");
    this.input.remove();
  }
}
