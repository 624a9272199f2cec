import { LabIcon } from "@jupyterlab/ui-components";

// Two paths that part: what a move of prices does to either margin mode.
export const marginIcon = new LabIcon({
  name: "margin-widgets:account",
  svgstr: `<svg xmlns="http://www.w3.org/2000/svg" width="16" viewBox="0 0 24 24">
  <g class="jp-icon3" style="fill:none" stroke="#616161" stroke-width="2" stroke-linecap="round">
    <path d="M3 4v16h18"/><path d="M7 16 13 10 20 5"/><path d="M13 10 17 13.5H20" stroke-dasharray="3 3"/>
  </g></svg>`,
});
