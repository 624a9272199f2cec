/** Says on the page that what is shown cannot answer any more, or has to wait for its kernel. */
import { make, type Disposer, type Model } from "./common";

interface Signal {
  connect(slot: () => void): unknown;
  disconnect(slot: () => void): unknown;
}

/** The part of JupyterLab's kernel connection that is looked at; other hosts may have none. */
interface Kernel {
  status: string;
  connectionStatus: string;
  isDisposed: boolean;
  statusChanged: Signal;
  connectionStatusChanged: Signal;
  disposed: Signal;
}

const GONE =
  "The kernel has gone: nothing here answers any more. What was saved with account.save() is safe;" +
  " run the cell again to go on.";
const WAITING =
  "The connection to the kernel is lost. What is done here meanwhile is sent when it returns.";
const ENDS = new Set(["restarting", "autorestarting", "terminating", "dead"]);

/** The outermost box of ours around an element: a dashboard, or a widget that stands alone. */
function outermost(element: HTMLElement): HTMLElement {
  let found = element;
  for (let one = element.parentElement; one; one = one.parentElement) {
    if (one.classList.contains("margin-widgets")) found = one;
  }
  return found;
}

/** Show one banner in the outermost box, whichever of the parts in it is the first to know. */
function tell(root: HTMLElement, words: string): void {
  const box = outermost(root);
  let banner = box.querySelector<HTMLElement>(":scope > .mw-lost");
  if (!words || !box.isConnected) {
    banner?.remove();
  } else if (banner?.textContent !== words) {
    banner?.remove();
    banner = make("p", "mw-lost", words);
    banner.setAttribute("role", "alert");
    box.prepend(banner);
  }
  box.classList.toggle("mw-dead", words === GONE);
}

/** Watch the kernel of a widget and say on the page when it has gone or cannot be reached. */
export function watchKernel(root: HTMLElement, model: Model, disposer: Disposer): void {
  const kernel = (model as { widget_manager?: { kernel?: Kernel | null } }).widget_manager?.kernel;
  let gone = false;
  const look = () => {
    // Models do not come back to life: what has gone once stays so until the cell is run again.
    gone ||=
      root.closest(".jupyter-widgets-disconnected") !== null ||
      (!!kernel && (kernel.isDisposed || ENDS.has(kernel.status)));
    tell(root, gone ? GONE : kernel && kernel.connectionStatus !== "connected" ? WAITING : "");
  };
  disposer.observe(model, "comm_live_update", look);
  for (const signal of [kernel?.statusChanged, kernel?.connectionStatusChanged, kernel?.disposed]) {
    if (!signal) continue;
    signal.connect(look);
    disposer.add(() => signal.disconnect(look));
  }
}
