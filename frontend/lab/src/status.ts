/** The status bar: how far the active account is from liquidation, in both modes. */

import { TextItem } from "@jupyterlab/statusbar";
import { VDomModel, VDomRenderer } from "@jupyterlab/ui-components";
import type { TranslationBundle } from "@jupyterlab/translation";
import { createElement, type ReactElement } from "react";
import type { Shown, Status } from "./seat";

/** Shapes by which the modes are told apart without colour, as on the plots. */
const SHAPES: Record<string, string> = { isolated: "■", cross: "●" };
const BELOW = "⚠";

export class StatusModel extends VDomModel {
  get status(): Status | null {
    return this.shown?.status ?? null;
  }

  set source(shown: Shown | null) {
    this.shown?.changed.disconnect(this.onChange, this);
    this.shown = shown;
    shown?.changed.connect(this.onChange, this);
    this.onChange();
  }

  private onChange(): void {
    this.stateChanged.emit();
  }

  private shown: Shown | null = null;
}

export class StatusItem extends VDomRenderer<StatusModel> {
  constructor(
    private focusDashboard: () => void,
    private trans: TranslationBundle,
  ) {
    super(new StatusModel());
    this.addClass("mwl-status");
  }

  protected override render(): ReactElement | null {
    const status = this.model?.status;
    if (!status) {
      return null;
    }
    const words: Record<string, string> = {
      isolated: this.trans.__("isolated"),
      cross: this.trans.__("cross"),
    };
    const modes = status.modes.map((one) => {
      const mark = one.state === "below maintenance" ? BELOW : (SHAPES[one.mode] ?? "");
      return `${mark} ${words[one.mode] ?? one.mode} ${one.text}`;
    });
    return createElement(TextItem, {
      source: modes.join("   "),
      title: `${status.title}. ${status.sentence}`,
      onClick: this.focusDashboard,
    });
  }
}
