/** Sessions of closed tabs whose kernels are kept running, so that an account opens at once. */

import type { SessionContext } from "@jupyterlab/apputils";
import type { Kernel } from "@jupyterlab/services";
import type { IRenderMimeRegistry } from "@jupyterlab/rendermime";
import type { WidgetManager } from "./widgets";

/** How long one stays, in ms: to the server, a kernel that a page is connected to is in use. */
const STAYS = 5 * 60_000;

/** What an account has in its kernel: the connection, and its widgets as they are. */
export interface WarmSession {
  sessionContext: SessionContext;
  manager: Promise<WidgetManager>;
  /** The registry that shows this manager's widgets. */
  rendermime: IRenderMimeRegistry;
}

interface Entry {
  session: WarmSession;
  stop(): void;
}

const entries = new Map<string, Entry>();

/** Keep a session until it is taken, time is up, or its kernel is another or out of reach. */
export function keepWarm(session: WarmSession): void {
  const { sessionContext } = session;
  const { path } = sessionContext;
  const drop = (): void => letGo(path);
  const onStatus = (_: unknown, status: Kernel.Status): void => {
    if (status === "restarting" || status === "autorestarting" || status === "dead") {
      drop();
    }
  };
  letGo(path);
  const timer = setTimeout(drop, STAYS);
  sessionContext.kernelChanged.connect(drop);
  sessionContext.connectionStatusChanged.connect(drop);
  sessionContext.statusChanged.connect(onStatus);
  const stop = (): void => {
    clearTimeout(timer);
    sessionContext.kernelChanged.disconnect(drop);
    sessionContext.connectionStatusChanged.disconnect(drop);
    sessionContext.statusChanged.disconnect(onStatus);
  };
  entries.set(path, { session, stop });
}

/** The session at a path, for whoever goes on with it; null if none is there. */
export function takeWarm(path: string): WarmSession | null {
  const entry = entries.get(path);
  entries.delete(path);
  entry?.stop();
  return entry?.session ?? null;
}

/** Leave them all; their kernels go on. */
export function letAllGo(): void {
  [...entries.keys()].forEach(letGo);
}

function letGo(path: string): void {
  takeWarm(path)?.sessionContext.dispose();
}
