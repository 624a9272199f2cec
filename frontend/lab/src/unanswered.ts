/** Edits that were on their way to a kernel when it stopped, so that none is lost unsaid. */

import type { Kernel, KernelMessage } from "@jupyterlab/services";

export interface Edit {
  /** Field, symbol or action; may be empty. */
  place: string;
  text: string;
}

/** Actions of the dashboards that change no account. */
const ASIDE = new Set(["convention", "data", "hide-explanation", "measure", "select", "tab"]);

export class Unanswered {
  constructor(private changed: () => void) {}

  /** What was sent, or typed, and taken by no kernel. */
  get edits(): readonly Edit[] {
    return this.lost;
  }

  /** Watch what goes to a kernel and comes from it. */
  watch(kernel: Kernel.IKernelConnection | null): void {
    if (kernel !== this.kernel) {
      this.kernel?.anyMessage.disconnect(this.onMessage, this);
      kernel?.anyMessage.connect(this.onMessage, this);
      this.kernel = kernel;
    }
  }

  /** There is a desk that takes edits. */
  begin(): void {
    this.waiting.clear();
    this.taken = true;
  }

  /** Nothing that was sent is answered any more. */
  end(): void {
    this.taken = false;
    const left = [...this.waiting.values()];
    this.waiting.clear();
    left.forEach((edit) => this.add(edit));
  }

  add(edit: Edit): void {
    // A field that loses its focus sends what was read from it a moment before.
    if (!edit.text || this.lost.at(-1)?.text !== edit.text) {
      this.lost.push(edit);
      this.changed();
    }
  }

  dismiss(): void {
    this.lost = [];
    this.changed();
  }

  private onMessage(_: unknown, { msg, direction }: Kernel.IAnyMessageArgs): void {
    if (direction === "send") {
      const edit = msg.header.msg_type === "comm_msg" ? editOf(dataOf(msg)) : null;
      if (edit && this.taken) {
        this.waiting.set(msg.header.msg_id, edit);
      } else if (edit) {
        this.add(edit);
      }
    } else if (this.waiting.size && "msg_id" in msg.parent_header) {
      if (isIdle(msg) || bringsDocument(dataOf(msg))) {
        this.waiting.delete(msg.parent_header.msg_id);
      }
    }
  }

  private kernel: Kernel.IKernelConnection | null = null;
  private lost: Edit[] = [];
  private taken = false;
  private waiting = new Map<string, Edit>();
}

type Data = Record<string, any>;

function dataOf(message: KernelMessage.IMessage): Data {
  return (message.content as Data)["data"] ?? {};
}

function isIdle(message: KernelMessage.IMessage): boolean {
  const { execution_state } = message.content as Data;
  return message.header.msg_type === "status" && execution_state === "idle";
}

/** Whether an edit has come back as the document's text, alone or among other widgets' news. */
function bringsDocument(data: Data): boolean {
  const parts: Data[] = data["content"]?.parts ?? [];
  return [data, ...parts.map((part) => part["data"])].some(
    (one) => one?.["state"]?.document !== undefined,
  );
}

/** The edit that a message of a widget makes; null where it makes none. */
function editOf(data: Data): Edit | null {
  const said: Data = data["method"] === "custom" ? (data["content"] ?? {}) : {};
  const text = String(said["text"] ?? said["value"] ?? "");
  switch (said["type"] ?? said["event"]) {
    case "edit":
    case "paste":
      return { place: said["field"], text };
    case "commit":
    case "commit_text":
      return { place: said["symbol"] ?? "", text };
    case "undo":
    case "redo":
      return { place: said["type"], text: "" };
    case "action":
      return ASIDE.has(said["action"]) ? null : { place: said["action"], text };
    case "drag_end":
      return { place: "drag", text: "" };
    default:
      return null;
  }
}
