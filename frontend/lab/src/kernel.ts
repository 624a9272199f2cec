/** Calls into the Python package, and what comes back from them. */

import type { Kernel } from "@jupyterlab/services";
import { WIDGET_VIEW } from "./widgets";

/** What installs the package in a kernel. */
const INSTALL = "%pip install -q margin-widgets";

/** Python raised; `kind` is the class of its exception. */
export class PythonError extends Error {
  constructor(
    readonly kind: string,
    message: string,
    readonly traceback: string,
  ) {
    super(message);
  }

  /** Whether the package, or this part of it, is not in the kernel's environment. */
  get packageMissing(): boolean {
    return this.kind === "ModuleNotFoundError" && this.message.includes("margin_widgets");
  }
}

/** Texts and numbers as a literal of Python, which reads what JSON writes of them. */
export function literal(value: string | Record<string, number | string>): string {
  return JSON.stringify(value);
}

/** The package could not be installed in a kernel that runs in the browser. */
export class NotInstalled extends Error {}

/** Whether a kernel runs in the browser, where each begins with nothing but Python. */
export async function inBrowser(kernel: Kernel.IKernelConnection): Promise<boolean> {
  return (await kernel.info).implementation === "pyodide";
}

/** Install the package in a kernel that runs in the browser: the site's, as in a notebook there. */
export async function install(kernel: Kernel.IKernelConnection): Promise<void> {
  try {
    await execute(kernel, INSTALL);
  } catch (reason) {
    throw reason instanceof PythonError ? new NotInstalled(reason.message) : reason;
  }
}

/** Evaluate an expression in which `lab` is `margin_widgets.lab`; its result by MIME type. */
export function call(
  kernel: Kernel.IKernelConnection,
  expression: string,
): Promise<Record<string, unknown>> {
  return execute(kernel, `(lambda lab: ${expression})(__import__("margin_widgets.lab").lab)`);
}

/** Run code; its result by MIME type. */
async function execute(
  kernel: Kernel.IKernelConnection,
  code: string,
): Promise<Record<string, unknown>> {
  const future = kernel.requestExecute({ code, store_history: false, stop_on_error: false });
  let result: Record<string, unknown> = {};
  let failure: PythonError | null = null;
  future.onIOPub = (message) => {
    const content = message.content as any;
    if (message.header.msg_type === "execute_result") {
      result = content.data;
    } else if (message.header.msg_type === "error") {
      failure = new PythonError(bare(content.ename), content.evalue, plain(content.traceback));
    }
  };
  await future.done;
  if (failure) {
    throw failure;
  }
  return result;
}

/** The same, for a widget: its id. */
export async function callForWidget(
  kernel: Kernel.IKernelConnection,
  expression: string,
): Promise<string> {
  const view = (await call(kernel, expression))[WIDGET_VIEW] as { model_id: string } | undefined;
  if (!view) {
    throw new Error(`no widget came back from ${expression.split("(")[0]}`);
  }
  return view.model_id;
}

/** The same, for plain data. */
export async function callForData<T>(
  kernel: Kernel.IKernelConnection,
  expression: string,
): Promise<T> {
  const told = (await call(kernel, `lab.Told(${expression})`))["application/json"];
  return (told as { value: T }).value;
}

/** Name of a class; Pyodide's kernel sends `<class 'ModuleNotFoundError'>`. */
function bare(kind: string): string {
  return /^<class '(?:.*\.)?(\w+)'>$/.exec(kind)?.[1] ?? kind;
}

function plain(traceback: string[]): string {
  return traceback.join("\n").replace(/\x1b\[[0-9;]*m/g, "");
}
