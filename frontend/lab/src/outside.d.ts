// What others bring at run time: a build against their packages would pull in all of JupyterLab.

declare module "@jupyter-widgets/jupyterlab-manager" {
  /** Makes a widget manager for a context and hands it to each of the renderers. */
  export function registerWidgetManager(
    context: unknown,
    rendermime: unknown,
    renderers: IterableIterator<unknown>,
  ): unknown;
}
