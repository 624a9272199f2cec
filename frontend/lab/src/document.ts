/** The document of an account; made from urn:margin-widgets:account:2 by scripts/lab_sources.py. */

export interface AccountDocument {
  schema: "margin-widgets/account";
  schema_version: 2;
  /** Version of the package that wrote the document. */
  margin_widgets?: string;
  name?: string;
  venue?: Venue;
  rules?: Rules;
  positions: (Position)[];
  /** Wallet balance of each asset; negative is a loan. */
  collateral: Record<string, Amount>;
  /** Mark price of each symbol. */
  marks: Record<string, Price>;
  /** Fixed prices of assets in the account's currency. */
  prices?: Record<string, Price>;
  /** Shares of assets that do not count as margin, in place of the venue's. */
  haircuts?: Record<string, Bands>;
  /** Initial margin reserved for open orders, in the account's currency. */
  order_margin?: number;
  /** ISO date at which the marks hold; options need it. */
  as_of?: string;
}

export type Name = string;

export type Amount = number;

export type Price = number;

export type Share = number;

/** A rule set that comes with the package. */
export type Venue = {
  name: string;
  version?: string;
  date?: string;
};

export type Position = {
  symbol: Name;
  /** Positive is long, negative short; in coin, in contracts if inverse. */
  quantity: Amount;
  entry_price: Price;
  leverage?: number;
  /** Assigned isolated margin in the settlement asset; null is the initial margin at entry. */
  margin?: number | null;
  margin_mode?: "cross" | "isolated";
};

/** A rule set in full; what is left out is at its default. */
export type Rules = {
  name: string;
  title?: string;
  version?: string;
  date?: string;
  currency?: Name;
  sources?: Sources;
  kinds?: Texts;
  modes?: Texts;
  contracts?: Record<string, Contract>;
  default_contract?: Contract;
  known_symbols_only?: boolean;
  tiers?: Record<string, Tiers>;
  tiers_by?: "notional" | "size" | "contracts";
  tier_rate?: "marginal" | "whole";
  initial_tiers?: Record<string, InitialTiers>;
  size_slopes?: Numbers;
  open_interest?: Record<string, Record<string, unknown>>;
  maintenance_at?: "mark" | "entry";
  taker_fee?: Share;
  closing_fee_in_maintenance?: boolean;
  closing_fee_in_initial?: boolean;
  closing_fee_at?: "mark" | "bankruptcy" | "worst bankruptcy";
  trigger?: "<=" | "<";
  trigger_level?: number;
  cross_pool?: "account" | "settlement";
  haircuts?: Record<string, Bands>;
  liability_rates?: Record<string, Rates>;
  imf_factors?: Numbers;
  rounding?: "none" | "towards entry";
  bankruptcy_rounding?: "none" | "towards entry" | "away from entry";
  liquidation?: Record<string, unknown>;
  liquidation_fee?: Share;
  residual?: "kept" | "returned" | "split";
  residual_share?: number;
  option_multipliers?: Numbers;
  option_margin?: Record<string, unknown> | null;
  portfolio?: Record<string, unknown> | null;
  margin_ratio?: Record<string, unknown>;
  adl_rank?: string;
  formulas?: Record<string, string>;
  cannot_express?: Texts;
  not_modelled?: Texts;
};

export type Contract = {
  kind?: "linear" | "inverse" | "quanto" | "call" | "put";
  multiplier?: Price;
  base?: string | null;
  quote?: string | null;
  settle?: string | null;
  tick?: number | null;
  expiry?: string | null;
  strike?: number | null;
  underlying?: string | null;
};

/** A flat rate, or rows of notional floor, maintenance rate and, where known, highest leverage. */
export type Tiers = number | ([number, Share, (number | null)?, (number | null)?])[];

/** One share, or rows of amount floor (in coin) and share. */
export type Bands = number | ([number, number])[];

/** As tiers, with rates up to 1. */
export type InitialTiers = number | (unknown[])[];

/** One rate, or rows of amount floor (in the asset) and rate. */
export type Rates = number | ((number)[])[];

export type Numbers = Record<string, number>;

export type Texts = (string)[];

/** Source of each rule, or a list of texts. */
export type Sources = (string)[] | Record<string, string>;
