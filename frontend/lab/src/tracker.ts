/** All accounts in view, documents' and notebooks'. */

import type { MainAreaWidget, WidgetTracker } from "@jupyterlab/apputils";
import { Token } from "@lumino/coreutils";
import type { Widget } from "@lumino/widgets";
import type { Shown } from "./seat";

export type AccountTracker = WidgetTracker<MainAreaWidget<Widget & { readonly shown: Shown }>>;

export const IAccountTracker = new Token<AccountTracker>("margin-widgets:IAccountTracker");
