/** Leaving a session that other windows may still be in. */

import type { ServiceManager } from "@jupyterlab/services";
import type { ISessionContext } from "@jupyterlab/apputils";

/** The server hears of our own leaving a moment later: when to ask whether nobody is left, in ms. */
const ASKED_AFTER = [100, 200, 400, 800, 1600];

/** Sessions that are being left, by path; whoever enters one waits until that is done. */
const underWay = new Map<string, Promise<void>>();

export interface Leaving {
  services: ServiceManager.IManager;
  sessionContext: ISessionContext;
  /** The session is there by then, or will not be. */
  started: Promise<void>;
  /** What is left: the session, which ends if nobody else is in it; our part in it; or nothing. */
  after: "end" | "leave" | "stay";
  /** What is to be done before that, if nobody else is in it. */
  last(): void;
}

/** The session at a path is not about to end. */
export async function left(path: string): Promise<void> {
  await underWay.get(path);
}

export function leave(what: Leaving): void {
  const { path } = what.sessionContext;
  const done = steps(what)
    .catch((reason) => {
      console.warn("margin-widgets: a session may have been left running.", reason);
    })
    .finally(() => {
      if (what.after !== "stay") {
        what.sessionContext.dispose();
      }
      if (underWay.get(path) === done) {
        underWay.delete(path);
      }
    });
  underWay.set(path, done);
}

async function steps(leaving: Leaving): Promise<void> {
  const { services, sessionContext, started, after, last } = leaving;
  await started;
  const { session } = sessionContext;
  const kernel = session?.kernel?.id;
  if (!session || !kernel) {
    return;
  }
  const others = ((await connections(services, kernel)) ?? 0) > 1;
  if (!others) {
    last();
  }
  if (after === "stay") {
    return;
  }
  sessionContext.dispose();
  if (after === "end" && others) {
    // A window that is closed at the same moment leaves it to us, as we do to it.
    void endIfLeft(services, session.id, kernel);
  } else if (after === "end") {
    await services.sessions.shutdown(session.id);
  }
}

async function endIfLeft(
  services: ServiceManager.IManager,
  session: string,
  kernel: string,
): Promise<void> {
  try {
    let alone = false;
    for (const pause of ASKED_AFTER) {
      await new Promise((resolve) => setTimeout(resolve, pause));
      const others = await connections(services, kernel);
      if (others === null) {
        return; // the other window has ended or changed it
      }
      // A page that is loaded anew is away for a moment only.
      if (others === 0 && alone) {
        await services.sessions.shutdown(session);
        return;
      }
      alone = others === 0;
    }
  } catch {
    /* ended by the other window, or out of reach */
  }
}

/** How many pages are connected to a kernel, 0 where the server does not count; null if it ended. */
async function connections(
  services: ServiceManager.IManager,
  kernel: string,
): Promise<number | null> {
  await services.kernels.refreshRunning();
  for (const model of services.kernels.running()) {
    if (model.id === kernel) {
      return model.connections ?? 0;
    }
  }
  return null;
}
