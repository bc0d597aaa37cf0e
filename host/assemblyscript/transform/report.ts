/** Messages of ours among asc's own, which shows each with its line of the source. */
import type { Declaration, Node, Program } from './asc.ts';

/** asc's code for messages that are not its own. */
const USER_DEFINED = 102;

export class Reporter {
  /** How many errors there were. */
  errors = 0;
  readonly #program: Program;

  constructor(program: Program) {
    this.#program = program;
  }

  /** @param at a declaration is shown by its name */
  error(sentence: string, at: Node): void {
    this.errors += 1;
    this.#emit('error', sentence, at);
  }

  warn(sentence: string, at: Node): void {
    this.#emit('warning', sentence, at);
  }

  #emit(severity: 'error' | 'warning', sentence: string, at: Node): void {
    const { diagnostics } = this.#program;
    const before = diagnostics.length;
    this.#program[severity](USER_DEFINED, rangeOf(at), sentence);
    // asc says "User-defined:" before the sentence, and nothing at all if it has said the same before.
    const added = diagnostics[before];
    if (added !== undefined) added.message = sentence;
  }
}

function rangeOf(at: Node): Node['range'] {
  return ((at as Partial<Declaration>).decorators === undefined ? at : (at as Declaration).name).range;
}
