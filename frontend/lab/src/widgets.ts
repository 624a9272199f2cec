/** The part of Jupyter widgets that is used here: a manager for a kernel, and models in it. */

import type { IRenderMimeRegistry } from "@jupyterlab/rendermime";
import type { ISessionContext } from "@jupyterlab/apputils";
import { Signal, type ISignal } from "@lumino/signaling";

export const WIDGET_VIEW = "application/vnd.jupyter.widget-view+json";

export interface WidgetModel {
  get(name: string): any;
  set(name: string, value: unknown): void;
  save_changes(): void;
  on(event: string, handler: (...args: any[]) => void): void;
  off(event: string, handler: (...args: any[]) => void): void;
}

export interface WidgetManager {
  get_model(id: string): Promise<WidgetModel>;
  has_model(id: string): boolean;
  /** Widgets that were in the kernel before are known now. */
  readonly restored: ISignal<unknown, void>;
  readonly restoredStatus: boolean;
}

/** ipywidgets is not installed beside JupyterLab. */
export class NoWidgets extends Error {}

/** How many sessions of their own were given a manager. */
let made = 0;

/**
 * The session for a manager that nobody else has.
 *
 * The manager's package finds a manager again by the id of its kernel, also when the connection is
 * another by then: its widgets would be those of the connection that was closed. A document that
 * is opened again while its kernel runs must get new ones, and so each has an id of its own.
 */
export function ownManager(sessionContext: ISessionContext): ISessionContext {
  const mark = `#${++made}`;
  return withOther(sessionContext, "session", (session) =>
    withOther(session, "kernel", (kernel) => withOther(kernel, "id", (id) => id + mark)),
  );
}

/** An object with one property seen differently; whatever is done is done to the object itself. */
function withOther<T extends object, K extends keyof T>(
  target: T,
  name: K,
  seen: (value: NonNullable<T[K]>) => T[K],
): T {
  return new Proxy(target, {
    get: (_, asked) => {
      const value = Reflect.get(target, asked, target);
      if (asked === name && value) {
        return seen(value as NonNullable<T[K]>);
      }
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
}

/**
 * Make a widget manager for a kernel and connect it to `rendermime`.
 *
 * The manager's package offers none directly: it makes one for a document and assigns it to the
 * renderers that it is given. So it is given a stand-in for a document, as a text document's own
 * context has no metadata to keep widgets in, and a renderer that hands the manager on.
 */
export async function manage(
  sessionContext: ISessionContext,
  rendermime: IRenderMimeRegistry,
): Promise<WidgetManager> {
  let library;
  try {
    library = await import("@jupyter-widgets/jupyterlab-manager");
  } catch (reason) {
    throw new NoWidgets(String(reason));
  }
  const owner = {};
  const context = {
    sessionContext,
    path: sessionContext.path,
    urlResolver: rendermime.resolver,
    saveState: new Signal<object, string>(owner),
    disposed: sessionContext.disposed,
    model: {
      metadata: {},
      getMetadata: () => undefined,
      setMetadata: () => undefined,
      deleteMetadata: () => undefined,
    },
  };
  return new Promise((resolve) => {
    const receiver = {
      set manager(manager: WidgetManager) {
        resolve(manager);
      },
    };
    library.registerWidgetManager(context, rendermime, [receiver][Symbol.iterator]());
  });
}

/** A model in the kernel; one from before the manager is known only when that has asked for it. */
export async function modelOf(manager: WidgetManager, id: string): Promise<WidgetModel> {
  if (!manager.has_model(id) && !manager.restoredStatus) {
    await new Promise<void>((resolve) => {
      const known = (): void => {
        manager.restored.disconnect(known);
        resolve();
      };
      manager.restored.connect(known);
    });
  }
  if (!manager.has_model(id)) {
    throw new Error(`no widget ${id} in the kernel`);
  }
  return manager.get_model(id);
}
