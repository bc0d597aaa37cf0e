/**
 * What is happening, on standard error, once it has taken longer than a second: a line that is redrawn on a terminal, and
 * elsewhere a line for each phase and then one a minute, so that logs stay readable and show that it goes on.
 */
import type { Phase } from '../instrument/index.ts';
import { styleFor } from './style.ts';

const PATIENCE = 1000;
const REDRAW = 100;
const SIGN_OF_LIFE = 60_000;
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
  #phaseStarted = 0;
  #drawn = false;
  #printed: Phase | null = null;
  #printedAt = 0;
  #frame = 0;

  constructor() {
    this.#timer = setInterval(() => this.#tick(), REDRAW);
  }

  phase(phase: Phase): void {
    this.#phase = phase;
    this.#phaseStarted = performance.now();
  }

  /** Ends the display and leaves nothing of it on a terminal. */
  end(): void {
    clearInterval(this.#timer);
    if (this.#drawn) process.stderr.write('\r\u001b[K');
  }

  #tick(): void {
    const now = performance.now();
    const elapsed = now - this.#started;
    if (this.#phase === null || elapsed < PATIENCE) return;
    const words = `${WORDS[this.#phase]} ...`;
    if (!process.stderr.isTTY) {
      if (this.#printed === this.#phase && now - this.#printedAt < SIGN_OF_LIFE) return;
      process.stderr.write(`wasm-fibers: ${words} (after ${duration(elapsed)})\n`);
      this.#printed = this.#phase;
      this.#printedAt = now;
      return;
    }
    const style = styleFor(process.stderr);
    this.#frame = (this.#frame + 1) % FRAMES.length;
    const times = `${duration(now - this.#phaseStarted)}, ${duration(elapsed)} in all`;
    process.stderr.write(`\r\u001b[K${style.cyan(FRAMES[this.#frame] ?? '')} ${words} ${style.dim(times)}`);
    this.#drawn = true;
  }
}

/** `12 s`, `3 min 5 s`. */
function duration(milliseconds: number): string {
  const seconds = Math.floor(milliseconds / 1000);
  return seconds < 60 ? `${seconds} s` : `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
}
