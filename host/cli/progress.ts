/**
 * What is happening, on standard error, once it has taken longer than a second: a line that is redrawn on a terminal, and a
 * line for each phase elsewhere, so that logs stay readable.
 */
import type { Phase } from '../instrument/index.ts';
import { styleFor } from './style.ts';

const PATIENCE = 1000;
const REDRAW = 100;
const FRAMES = ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏'] as const;

const WORDS: Readonly<Record<Phase, string>> = {
  reading: 'reading',
  preparing: 'preparing',
  instrumenting: 'instrumenting',
  optimising: 'optimising',
  writing: 'writing',
};

export class Progress {
  readonly #started = performance.now();
  readonly #timer: NodeJS.Timeout;
  #phase: Phase | null = null;
  #drawn = false;
  #printed: Phase | null = null;
  #frame = 0;

  constructor() {
    this.#timer = setInterval(() => this.#tick(), REDRAW);
  }

  phase(phase: Phase): void {
    this.#phase = phase;
  }

  /** Ends the display and leaves nothing of it on a terminal. */
  end(): void {
    clearInterval(this.#timer);
    if (this.#drawn) process.stderr.write('\r\u001b[K');
  }

  #tick(): void {
    const elapsed = performance.now() - this.#started;
    if (this.#phase === null || elapsed < PATIENCE) return;
    const words = `${WORDS[this.#phase]} ...`;
    if (!process.stderr.isTTY) {
      if (this.#printed !== this.#phase) process.stderr.write(`wasm-fibers: ${words}\n`);
      this.#printed = this.#phase;
      return;
    }
    const style = styleFor(process.stderr);
    this.#frame = (this.#frame + 1) % FRAMES.length;
    const seconds = style.dim(`${(elapsed / 1000).toFixed(0)} s`);
    process.stderr.write(`\r\u001b[K${style.cyan(FRAMES[this.#frame] ?? '')} ${words} ${seconds}`);
    this.#drawn = true;
  }
}
