/** What a document has in a kernel: a session of its own, a widget manager and a desk. */

import { SessionContext } from "@jupyterlab/apputils";
import { PathExt } from "@jupyterlab/coreutils";
import type { DocumentRegistry } from "@jupyterlab/docregistry";
import type { IRenderMimeRegistry } from "@jupyterlab/rendermime";
import type { Kernel, ServiceManager, Session } from "@jupyterlab/services";
import type { IDisposable } from "@lumino/disposable";
import { Debouncer } from "@lumino/polling";
import { Signal, type ISignal } from "@lumino/signaling";
import { NotInstalled, PythonError, callForWidget, inBrowser, install, literal } from "./kernel";
import { leave, left } from "./leaving";
import { Unanswered } from "./unanswered";
import { keepWarm, takeWarm, type WarmSession } from "./warm";
import {
  NoWidgets,
  manage,
  modelOf,
  ownManager,
  type WidgetManager,
  type WidgetModel,
} from "./widgets";

/** The session's path beside the file's own, which editors and debuggers claim for themselves. */
const BESIDE = "~desk";
const TYPING = 250;
const AFTER_EDIT = 1000;

export interface Problem {
  kind: "damaged" | "newer" | "refused";
  message: string;
  path: string;
  line?: number;
  column?: number;
}

export interface ModeStatus {
  mode: string;
  text: string;
  state: string;
}

export interface Status {
  title: string;
  sentence: string;
  modes: ModeStatus[];
}

/** An account that is shown: a document's, or one that lives in a notebook. */
export interface Shown {
  /** What it tells is another now. */
  readonly changed: ISignal<unknown, void>;
  /** Its document; empty if there is none yet. */
  readonly document: string;
  readonly kernel: Kernel.IKernelConnection | null;
  readonly status: Status | null;
}

export type State =
  | { kind: "starting" }
  | { kind: "installing" }
  | { kind: "live" }
  | { kind: "restarting" }
  | { kind: "ended" }
  | { kind: "no kernel" }
  | { kind: "no widgets" }
  | { kind: "package missing"; kernel: string }
  | { kind: "not installed"; message: string }
  | { kind: "failed"; message: string; traceback: string };

/** What the kernel is told of how an account is shown; the package's defaults where it is not. */
export type Options = Record<string, number | string>;

export interface SeatSettings {
  readonly changed: ISignal<unknown, void>;
  readonly closeKernel: boolean;
  readonly options: Options;
  /** What was chosen is known. */
  readonly ready: Promise<void>;
  readonly saveEachEdit: boolean;
}

export interface SeatOptions {
  context: DocumentRegistry.CodeContext;
  rendermime: IRenderMimeRegistry;
  services: ServiceManager.IManager;
  settings: SeatSettings;
  /** When the layout of an earlier visit is in place. */
  restored: Promise<unknown>;
}

export class Seat implements IDisposable, Shown {
  readonly context: DocumentRegistry.CodeContext;
  readonly rendermime: IRenderMimeRegistry;
  readonly sessionContext: SessionContext;

  constructor(private options: SeatOptions) {
    const { context, services } = options;
    this.context = context;
    const path = context.localPath + BESIDE;
    this.found = takeWarm(path);
    this.manager = this.found?.manager ?? null;
    this.rendermime = this.found?.rendermime ?? options.rendermime;
    this.sessionContext =
      this.found?.sessionContext ??
      new SessionContext({
        kernelManager: services.kernels,
        sessionManager: services.sessions,
        specsManager: services.kernelspecs,
        path,
        name: PathExt.basename(context.localPath),
        type: "margin-desk",
      });
    context.model.contentChanged.connect(this.onText, this);
    context.model.stateChanged.connect(this.onState, this);
    context.fileChanged.connect(this.onFile, this);
    context.pathChanged.connect(this.onPath, this);
    context.disposed.connect(this.dispose, this);
    options.settings.changed.connect(this.onSettings, this);
    this.sessionContext.kernelChanged.connect(this.onKernel, this);
    this.sessionContext.statusChanged.connect(this.onStatus, this);
    this.started = this.start();
  }

  get state(): State {
    return this.now;
  }

  /** The state, or what the desk tells, is another now. */
  get changed(): ISignal<this, void> {
    return this.changes;
  }

  /** Id of the desk to show; null until there is one. */
  get modelId(): string | null {
    return this.shown;
  }

  get problem(): Problem | null {
    const problem = this.model?.get("problem");
    return problem?.kind ? problem : null;
  }

  get status(): Status | null {
    const status = this.model?.get("status");
    return status?.modes && !this.problem ? status : null;
  }

  get document(): string {
    return this.problem ? "" : this.context.model.toString();
  }

  /** Edits that were not saved before the page was loaded anew; empty if there are none. */
  get kept(): string {
    return this.model?.get("kept") ?? "";
  }

  /** Edits that were on their way when the kernel stopped, and are not in the account. */
  readonly unanswered = new Unanswered(
    () => this.changes.emit(),
    async (id) => {
      const manager = await this.manager;
      return manager?.has_model(id) ? manager.get_model(id) : null;
    },
  );

  get notes(): string[] {
    return this.model?.get("notes") ?? [];
  }

  get kernel(): Kernel.IKernelConnection | null {
    return this.sessionContext.session?.kernel ?? null;
  }

  get isDisposed(): boolean {
    return this.disposed;
  }

  /** Make the edits the document that were kept in the kernel. */
  restoreKept(): void {
    const kept = this.kept;
    this.dismissKept();
    this.context.model.fromString(kept);
    this.context.model.dirty = true;
  }

  dismissKept(): void {
    this.tell({ kept: "" });
  }

  /** Start a kernel where there is none, or ask again in the one that there is. */
  async again(): Promise<void> {
    this.go({ kind: "starting" });
    if (this.kernel) {
      await this.open();
    } else {
      await this.sessionContext.changeKernel({ name: await this.kernelName() });
    }
  }

  async restart(): Promise<void> {
    if (this.kernel) {
      await this.kernel.restart();
    } else {
      await this.again();
    }
  }

  dispose(): void {
    if (this.disposed) {
      return;
    }
    this.disposed = true;
    this.typing.dispose();
    this.saving.dispose();
    const { services, settings } = this.options;
    const { manager, model, rendermime, saved, sessionContext } = this;
    if (this.context.isReady) {
      const stays = !settings.closeKernel && model !== null && manager !== null;
      leave({
        services,
        sessionContext,
        started: this.started,
        after: settings.closeKernel ? "end" : stays ? "stay" : "leave",
        // What was not saved by now was given up by the person.
        last: () => tell(model, { document: saved, kept: "" }),
      });
      if (stays) {
        keepWarm({ sessionContext, manager, rendermime });
      }
    } else if (this.found) {
      keepWarm(this.found);
    } else {
      sessionContext.dispose(); // the file was never read, so no session was begun
    }
    this.leaveModel();
    this.unanswered.watch(null);
    settings.changed.disconnect(this.onSettings, this);
    Signal.clearData(this);
  }

  // -- the kernel -------------------------------------------------------------------------------

  private async start(): Promise<void> {
    // One that was kept warm may have ended elsewhere, of which the server tells who asks.
    const refreshed = this.found ? this.options.services.sessions.refreshRunning() : null;
    refreshed?.catch(() => undefined);
    try {
      await this.context.ready;
      this.saved = this.context.model.toString();
      const name = await this.kernelName();
      if (!name) {
        this.go({ kind: "no kernel" });
        return;
      }
      // Sessions of an earlier visit are found by their path; until the layout is restored, other
      // documents may still be about to claim theirs.
      await Promise.all([this.options.restored, this.options.settings.ready]);
      await left(this.sessionContext.path);
      if (this.disposed) {
        return;
      }
      if (this.found) {
        await refreshed;
        await this.again();
        return;
      }
      this.sessionContext.kernelPreference = {
        name,
        autoStartDefault: true,
        shouldStart: true,
        shutdownOnDispose: false,
      };
      await this.sessionContext.initialize();
      await this.sessionContext.ready;
    } catch (reason) {
      this.fail(reason);
    }
  }

  /** The first kernel that speaks Python, the server's default before others. */
  private async kernelName(): Promise<string> {
    const manager = this.options.services.kernelspecs;
    await manager.ready;
    const specs = manager.specs;
    const python = Object.values(specs?.kernelspecs ?? {}).filter(
      (spec) => spec?.language.toLowerCase() === "python",
    );
    const chosen = python.find((spec) => spec?.name === specs?.default) ?? python[0];
    return chosen?.name ?? "";
  }

  private async open(): Promise<void> {
    const kernel = this.kernel;
    if (!kernel || this.disposed) {
      return;
    }
    const attempt = ++this.attempts;
    this.opening = true;
    this.unanswered.watch(kernel);
    try {
      this.manager ??= manage(ownManager(this.sessionContext), this.rendermime);
      const manager = await this.manager;
      const { path, model: text } = this.context;
      const given = [path, text.toString(), this.options.settings.options].map(literal);
      const desk = `lab.open_document(${given.join(", ")})`;
      const id = await callForWidget(kernel, desk).catch(async (reason) => {
        if (!isMissing(reason) || !(await inBrowser(kernel))) {
          throw reason;
        }
        if (attempt === this.attempts && this.now.kind === "starting") {
          this.go({ kind: "installing" });
        }
        await install(kernel);
        return callForWidget(kernel, desk);
      });
      const model = await modelOf(manager, id);
      if (attempt !== this.attempts || this.disposed) {
        return; // the kernel was changed meanwhile
      }
      this.join(model, id);
      this.onTyped(); // what was typed while the kernel started
    } catch (reason) {
      if (attempt === this.attempts) {
        this.fail(reason);
      }
    } finally {
      if (attempt === this.attempts) {
        this.opening = false;
      }
    }
  }

  /** Whatever the kernel was asked is not answered any more. */
  private lose(state: State): void {
    this.attempts++;
    this.opening = false;
    this.unanswered.end();
    this.leaveModel();
    this.go(state);
  }

  private fail(reason: unknown): void {
    if (this.disposed) {
      return;
    }
    if (reason instanceof NoWidgets) {
      this.go({ kind: "no widgets" });
    } else if (reason instanceof NotInstalled) {
      this.go({ kind: "not installed", message: reason.message });
    } else if (isMissing(reason)) {
      this.go({ kind: "package missing", kernel: this.sessionContext.kernelDisplayName });
    } else if (this.now.kind !== "restarting" && this.now.kind !== "ended") {
      const traceback = reason instanceof PythonError ? reason.traceback : "";
      const message = reason instanceof Error ? reason.message : String(reason);
      this.go({ kind: "failed", message, traceback });
    }
  }

  private onKernel(_: unknown, change: Session.ISessionConnection.IKernelChangedArgs): void {
    this.unanswered.end();
    this.leaveModel();
    if (change.newValue) {
      this.go({ kind: this.shown ? "restarting" : "starting" });
      void this.open();
    } else if (change.oldValue && !this.disposed) {
      this.lose({ kind: "ended" });
    }
  }

  private onStatus(_: unknown, status: Kernel.Status): void {
    if (status === "restarting" || status === "autorestarting") {
      this.lose({ kind: "restarting" });
    } else if (status === "dead") {
      this.lose({ kind: "ended" });
    } else if (status === "idle" && this.now.kind === "restarting" && !this.opening) {
      void this.open();
    }
  }

  // -- the desk ---------------------------------------------------------------------------------

  private join(model: WidgetModel, id: string): void {
    this.leaveModel();
    this.model = model;
    this.shown = id;
    this.unanswered.begin();
    model.on("change:document", this.onDocument);
    model.on("change:problem change:status change:kept change:notes", this.onTold);
    this.go({ kind: "live" });
  }

  private leaveModel(): void {
    this.model?.off("change:document", this.onDocument);
    this.model?.off("change:problem change:status change:kept change:notes", this.onTold);
    this.model = null;
  }

  private tell(traits: Record<string, unknown>): void {
    tell(this.model, traits);
  }

  private onTold = (): void => {
    this.changes.emit();
  };

  // -- the document -----------------------------------------------------------------------------

  /** The account was edited. */
  private onDocument = (): void => {
    const text: string = this.model?.get("document");
    const { model } = this.context;
    if (text === undefined || text === model.toString()) {
      return;
    }
    model.fromString(text);
    model.dirty = text !== this.saved;
    if (this.options.settings.saveEachEdit && model.dirty) {
      void this.saving.invoke();
    }
  };

  /** The text was edited: typed, reverted, undone, or set from the account. */
  private onText(): void {
    this.replaced = true;
    queueMicrotask(() => {
      this.replaced = false;
    });
    if (this.model && this.model.get("document") !== this.context.model.toString()) {
      void this.typing.invoke();
    }
  }

  private onTyped(): void {
    const text = this.context.model.toString();
    if (this.model && this.model.get("document") !== text) {
      this.tell({ document: text });
    }
    if (text === this.saved) {
      this.context.model.dirty = false;
    }
  }

  /** Saved, or reverted to what the file holds by now, of which JupyterLab does not tell us more. */
  private onFile(): void {
    if (this.replaced) {
      this.saved = this.context.model.toString();
      this.context.model.dirty = false;
    }
  }

  private onState(model: DocumentRegistry.ICodeModel, change: { name: string }): void {
    if (change.name === "dirty" && !model.dirty) {
      this.saved = model.toString();
    }
  }

  private onPath(context: DocumentRegistry.CodeContext): void {
    const { session } = this.sessionContext;
    void session?.setPath(context.localPath + BESIDE);
    void session?.setName(PathExt.basename(context.localPath));
    this.tell({ path: context.path });
  }

  private onSettings(): void {
    this.tell({ options: this.options.settings.options });
  }

  private go(state: State): void {
    this.now = state;
    this.changes.emit();
  }

  private attempts = 0;
  private changes = new Signal<this, void>(this);
  private disposed = false;
  /** Kept from an earlier tab. */
  private found: WarmSession | null;
  private manager: Promise<WidgetManager> | null;
  private model: WidgetModel | null = null;
  private opening = false;
  private now: State = { kind: "starting" };
  /** The text is another since this task began. */
  private replaced = false;
  private saved = "";
  private saving = new Debouncer(() => this.context.save(), AFTER_EDIT);
  private shown: string | null = null;
  private started: Promise<void>;
  private typing = new Debouncer(() => this.onTyped(), TYPING);
}

function isMissing(reason: unknown): boolean {
  return reason instanceof PythonError && reason.packageMissing;
}

function tell(model: WidgetModel | null, traits: Record<string, unknown>): void {
  if (!model) {
    return;
  }
  for (const [name, value] of Object.entries(traits)) {
    model.set(name, value);
  }
  model.save_changes();
}
