/** Fits of formulas and traced functions to data. */
export { type AsyncFitOptions, type FitOptions, type FitProgress, fit } from "./fit.js";
export { htmlReport, type ReportOptions } from "./html.js";
export type { StartValues } from "./model.js";
export type { StopReason } from "./native.js";
export type { Term } from "./observations.js";
export { type FitParameter, type FitPrediction, FitResult, type FitStatistics } from "./result.js";
export { type NumberColumn, Table, type TableOptions } from "./table.js";
