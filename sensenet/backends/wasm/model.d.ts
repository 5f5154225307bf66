/** A value of a field or cell; null, undefined and NaN are missing. */
export type Cell = string | number | boolean | bigint | null | undefined;

/** A row: cells in the order of the document, or values by the name or id of a field. */
export type Row = ArrayLike<Cell> | {[field: string]: Cell};

/** The answer of a classification, or the number of a regression. */
export type Answer = {label: string | null; probabilities: {[name: string]: number}} | number | number[];

export class Model {
  private constructor();
  /** The classes, in the order of their probabilities; empty for a regression. */
  readonly classes: string[];
  /** The names of the fields of a row; empty if the document does not have them. */
  readonly fields: string[];
  /** How many numbers answer a row. */
  readonly outputs: number;
  /** The columns, the fields and the classes, as the document has them. */
  readonly signature: any;
  /** Answer each of an array of rows, or one row. */
  predict(rows: (Cell[] | {[field: string]: Cell} | ArrayBufferView)[]): Answer[];
  predict(row: Row): Answer;
  /** The numbers that the network reads of rows: rows × columns, for `run`. */
  encode(rows: Row | Row[]): Float32Array;
  /** Answer rows of numbers, one after another: rows × outputs. NaN is a missing number. */
  run(numbers: ArrayLike<number>): Float32Array;
  /** As `run`, but NaN remains NaN. */
  compute(numbers: Float32Array): Float32Array;
}

/** Load model.wasm next to this module, or from a URL, a response of fetch, bytes, or a WebAssembly.Module. */
export function load(
  source?: string | URL | Response | Promise<Response> | BufferSource | WebAssembly.Module,
): Promise<Model>;
